import type { StoredWebhookEndpoint, WebhookEvent } from "../batch/webhook.ts";

/** The part of the control store that keeps receivers of events, and the events that they have not got yet. */
export interface WebhookRecords {
  /** False, and nothing is recorded, when the project has `most` endpoints already. */
  insertWebhookEndpoint(endpoint: StoredWebhookEndpoint, most: number): Promise<boolean>;
  /** Null when there is none, or it belongs to another project. */
  getWebhookEndpoint(project: string, id: string): Promise<StoredWebhookEndpoint | null>;
  /** Newest first, starting after the endpoint `after`. @throws NerifError `cursor_not_found` */
  listWebhookEndpoints(query: WebhookEndpointQuery): Promise<StoredWebhookEndpoint[]>;
  /**
   * Applies `patch` if the endpoint still has `version`, and raises the version.
   * @returns the endpoint as it is now, or null when another writer was first
   */
  updateWebhookEndpoint(
    id: string,
    version: number,
    patch: WebhookEndpointPatch,
  ): Promise<StoredWebhookEndpoint | null>;
  /** Removes an endpoint with all that it has not got yet; false when there is none. */
  deleteWebhookEndpoint(project: string, id: string): Promise<boolean>;

  /** What has not been delivered, in the order in which it is due, also what is due later. */
  nextDeliveries(query: DeliveryQuery): Promise<WebhookDelivery[]>;
  /** Notes a try that failed, and when the next one is due. */
  postponeDelivery(id: string, next: { attempts: number; due_at: number }): Promise<void>;
  /** It was delivered, or given up. */
  removeDelivery(id: string): Promise<void>;
  /** Forgets deliveries of events that came about before `before` (Unix seconds). @returns how many there were */
  removeOldDeliveries(before: number): Promise<number>;
}

export interface WebhookEndpointQuery {
  project: string;
  limit: number;
  after?: string | undefined;
}

export type WebhookEndpointPatch = Partial<
  Omit<StoredWebhookEndpoint, "id" | "version" | "project" | "created_at">
>;

export interface DeliveryQuery {
  limit: number;
  /** Endpoints whose deliveries are left out. */
  exceptEndpoints: string[];
  /** Deliveries that are left out. */
  except: string[];
}

/** One event on its way to one endpoint. */
export interface WebhookDelivery {
  /** The `webhook-id`, by which a receiver knows an event that it gets twice. */
  id: string;
  endpoint: StoredWebhookEndpoint;
  event: WebhookEvent;
  /** Tries that have failed. */
  attempts: number;
  /** Unix seconds. */
  due_at: number;
}
