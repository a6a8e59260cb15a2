import type { BatchStatus } from "./batch.ts";

export const webhookEventTypes = [
  "batch.completed",
  "batch.failed",
  "batch.expired",
  "batch.cancelled",
] as const;

export type WebhookEventType = (typeof webhookEventTypes)[number];

/** The event that receivers get, as the OpenAI API sends it. `created_at` is the moment of the transition in Unix seconds. */
export interface WebhookEvent {
  id: string;
  object: "event";
  type: WebhookEventType;
  created_at: number;
  data: { id: string };
}

/** The event that tells of a status; null for one that nobody is told of. */
export function eventTypeOf(status: BatchStatus | undefined): WebhookEventType | null {
  return webhookEventTypes.find((type) => type === `batch.${status}`) ?? null;
}

/** What Nerif keeps of a receiver of events. All times are Unix seconds. */
export interface StoredWebhookEndpoint {
  id: string;
  /** Grows with every change. */
  version: number;
  project: string;
  name: string;
  url: string;
  event_types: WebhookEventType[];
  /** `whsec_` and base64. */
  secret: string;
  /** The secret before the last rotation, while it still signs. */
  old_secret: string | null;
  old_secret_until: number | null;
  created_at: number;
  updated_at: number;
}

/** The webhook endpoint of the OpenAI API. */
export interface WebhookEndpointObject {
  id: string;
  object: "webhook_endpoint";
  created_at: number;
  updated_at: number;
  name: string;
  url: string;
  event_types: WebhookEventType[];
  signing_secret_hint: string;
}

export function webhookEndpointObject(endpoint: StoredWebhookEndpoint): WebhookEndpointObject {
  const { id, created_at, updated_at, name, url, event_types, secret } = endpoint;
  const signing_secret_hint = `whsec_****${secret.slice(-4)}`;
  return {
    id,
    object: "webhook_endpoint",
    ...{ created_at, updated_at, name, url, event_types, signing_secret_hint },
  };
}

/** The secrets that sign at `now` (Unix seconds), the newest first. */
export function signingSecrets(endpoint: StoredWebhookEndpoint, now: number): string[] {
  const { secret, old_secret, old_secret_until } = endpoint;
  const overlaps = old_secret !== null && old_secret_until !== null && now < old_secret_until;
  return overlaps ? [secret, old_secret] : [secret];
}
