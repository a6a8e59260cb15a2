import { randomBytes } from "node:crypto";
import type { z } from "zod";
import { NerifError } from "../batch/errors.ts";
import { isId, newBatchId, newId } from "../batch/ids.ts";
import { limits } from "../batch/limits.ts";
import {
  type StoredWebhookEndpoint,
  signingSecrets,
  type WebhookEndpointObject,
  type WebhookEvent,
  type WebhookEventType,
  webhookEndpointObject,
} from "../batch/webhook.ts";
import type { WebhookEndpointPatch, WebhookRecords } from "../control/webhook-records.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import type { WebhookSender } from "../webhooks/sender.ts";
import { checkCursor, type Page, readPage } from "./page.ts";
import { parseParams } from "./parse-params.ts";
import {
  rotateParams,
  testParams,
  webhookEndpointChanges,
  webhookEndpointListParams,
  webhookEndpointParams,
} from "./webhook-params.ts";

const overlapSeconds = 24 * 3_600;
const secretBytes = 32;
/** When a test that was refused for others may be asked for again. */
const testRetryMs = 1_000;

/** An endpoint at the only moments at which its secret is shown. */
export interface WebhookEndpointWithSecret extends WebhookEndpointObject {
  signing_secret: string;
}

export interface WebhookTest {
  object: "webhook_endpoint.test";
  webhook_endpoint_id: string;
  event_type: WebhookEventType;
  /** What the receiver answered, whatever that was. */
  status_code: number;
  success: true;
}

type Params<S extends z.ZodType> = z.input<S> | Readonly<Record<string, unknown>>;

export interface WebhookService {
  /**
   * @throws NerifError for parameters that do not fit, `webhook_address_refused`, and `invalid_request` when the
   *   project has 20 endpoints already
   */
  create(project: string, params: Params<typeof webhookEndpointParams>): Promise<WebhookEndpointWithSecret>;
  /** @throws NerifError `webhook_endpoint_not_found` */
  retrieve(project: string, id: string): Promise<WebhookEndpointObject>;
  /** Newest first; `limit` is from 1 to 100, 20 by default. @throws NerifError `cursor_not_found` */
  list(
    project: string,
    query?: Params<typeof webhookEndpointListParams>,
  ): Promise<Page<WebhookEndpointObject>>;
  /**
   * Changes what is given; `event_types` replaces the whole set.
   * @throws NerifError `webhook_endpoint_not_found`, `webhook_address_refused`
   */
  update(
    project: string,
    id: string,
    params: Params<typeof webhookEndpointChanges>,
  ): Promise<WebhookEndpointObject>;
  /** What it has not got yet goes with it. @throws NerifError `webhook_endpoint_not_found` */
  delete(project: string, id: string): Promise<{ id: string; object: string; deleted: true }>;
  /** A new secret; the old one is void at once unless it is kept for a day. @throws NerifError `webhook_endpoint_not_found` */
  rotate(
    project: string,
    id: string,
    params?: Params<typeof rotateParams>,
  ): Promise<WebhookEndpointWithSecret>;
  /**
   * Sends one signed event of a batch that does not exist, and tells what the receiver answered.
   * @throws NerifError `webhook_endpoint_not_found`, `webhook_unreachable`, and `rate_limit_exceeded` while the
   *   project has as many tests under way as it may
   */
  test(project: string, id: string, params: Params<typeof testParams>): Promise<WebhookTest>;
}

interface WebhookServiceDeps {
  control: WebhookRecords;
  sender: WebhookSender;
  clock: Clock;
}

/** The use cases around webhook endpoints. Events are delivered by `engine/upkeep/outbox.ts`. */
export function createWebhookService({ control, sender, clock }: WebhookServiceDeps): WebhookService {
  const atOnce = createTestSlots();

  async function load(project: string, id: string): Promise<StoredWebhookEndpoint> {
    const endpoint = isId("webhook_endpoint", id) ? await control.getWebhookEndpoint(project, id) : null;
    if (endpoint !== null) return endpoint;
    throw notFound(id);
  }

  async function checkUrl(url: string): Promise<void> {
    const refused = await sender.refusal(url);
    if (refused === null) return;
    throw new NerifError("webhook_address_refused", `Cannot send webhooks to this URL: ${refused}`, {
      param: "url",
    });
  }

  /** Reads, decides and writes until no other writer came between. */
  async function change(
    project: string,
    id: string,
    decide: (endpoint: StoredWebhookEndpoint) => WebhookEndpointPatch | null,
  ): Promise<StoredWebhookEndpoint> {
    for (;;) {
      const endpoint = await load(project, id);
      const patch = decide(endpoint);
      if (patch === null) return endpoint;
      const updated_at = unixSeconds(clock);
      const changed = await control.updateWebhookEndpoint(id, endpoint.version, { ...patch, updated_at });
      if (changed !== null) return changed;
    }
  }

  return {
    async create(project, params) {
      const checked = parseParams(webhookEndpointParams, params, "create a webhook endpoint");
      await checkUrl(checked.url);
      const now = unixSeconds(clock);
      const endpoint: StoredWebhookEndpoint = {
        ...{ id: newId("webhook_endpoint"), version: 1, project, ...checked, secret: newSecret() },
        ...{ old_secret: null, old_secret_until: null, created_at: now, updated_at: now },
      };
      const most = limits.webhookEndpoints.perProject;
      if (await control.insertWebhookEndpoint(endpoint, most)) return withSecret(endpoint);
      throw new NerifError(
        "invalid_request",
        `Cannot create a webhook endpoint: this project has ${most} already, which is the most; delete one first`,
      );
    },

    retrieve: async (project, id) => webhookEndpointObject(await load(project, id)),

    async list(project, query = {}) {
      const { limit, after } = parseParams(webhookEndpointListParams, query, "list the webhook endpoints");
      checkCursor("webhook_endpoint", after);
      const page = await readPage(limit, (count) =>
        control.listWebhookEndpoints({ project, limit: count, after }),
      );
      return { ...page, data: page.data.map(webhookEndpointObject) };
    },

    async update(project, id, params) {
      const { name, url, event_types } = parseParams(
        webhookEndpointChanges,
        params,
        "update a webhook endpoint",
      );
      await load(project, id);
      if (url !== undefined) await checkUrl(url);
      const changed = await change(project, id, (endpoint) => {
        const patch: WebhookEndpointPatch = {
          ...(name !== undefined && name !== endpoint.name && { name }),
          ...(url !== undefined && url !== endpoint.url && { url }),
          ...(event_types !== undefined && !isSameSet(event_types, endpoint.event_types) && { event_types }),
        };
        return Object.keys(patch).length === 0 ? null : patch;
      });
      return webhookEndpointObject(changed);
    },

    async delete(project, id) {
      const found = isId("webhook_endpoint", id) && (await control.deleteWebhookEndpoint(project, id));
      if (!found) throw notFound(id);
      return { id, object: "webhook_endpoint.deleted", deleted: true };
    },

    async rotate(project, id, params = {}) {
      const keep = parseParams(rotateParams, params, "rotate the secret").keep_old_secret_active_for_24_hours;
      // Drawn once: a change whose answer was lost is read again as one that another writer was before.
      const secret = newSecret();
      const rotated = await change(project, id, (endpoint) => {
        if (endpoint.secret === secret) return null;
        return {
          secret,
          old_secret: keep ? endpoint.secret : null,
          old_secret_until: keep ? unixSeconds(clock) + overlapSeconds : null,
        };
      });
      return withSecret(rotated);
    },

    async test(project, id, params) {
      const { event_type } = parseParams(testParams, params, "test a webhook endpoint");
      return atOnce(project, () => sendTest(project, id, event_type));
    },
  };

  async function sendTest(project: string, id: string, event_type: WebhookEventType): Promise<WebhookTest> {
    const endpoint = await load(project, id);
    const timestamp = unixSeconds(clock);
    const message = {
      ...{ url: endpoint.url, id: newId("webhook_delivery"), timestamp },
      body: JSON.stringify(madeUpEvent(event_type, timestamp)),
      secrets: signingSecrets(endpoint, timestamp),
    };
    const result = await sender.send(message, never);
    if (result.status === null) {
      throw new NerifError("webhook_unreachable", `Cannot reach the webhook endpoint: ${result.failure}`);
    }
    const answer = { event_type, status_code: result.status, success: true } as const;
    return { object: "webhook_endpoint.test", webhook_endpoint_id: id, ...answer };
  }
}

const never = new AbortController().signal;

/** Receivers may take long to answer, and each test holds two connections meanwhile: a project has a few at once. */
function createTestSlots(): <T>(project: string, test: () => Promise<T>) => Promise<T> {
  const running = new Map<string, number>();
  const most = limits.webhookEndpoints.testsAtOnce;
  return async (project, test) => {
    const others = running.get(project) ?? 0;
    if (others >= most) {
      throw new NerifError(
        "rate_limit_exceeded",
        `Cannot test the webhook endpoint: ${most} tests of this project are under way, which is the most at once`,
        { retryAfterMs: testRetryMs },
      );
    }
    running.set(project, others + 1);
    try {
      return await test();
    } finally {
      const left = (running.get(project) ?? 1) - 1;
      if (left === 0) running.delete(project);
      else running.set(project, left);
    }
  };
}

/** Whoever may not see an endpoint is told the same as if there were none. */
function notFound(id: string): NerifError {
  const message = `No webhook endpoint found with id '${id.slice(0, 80)}'.`;
  return new NerifError("webhook_endpoint_not_found", message, { param: "id" });
}

function newSecret(): string {
  return `whsec_${randomBytes(secretBytes).toString("base64")}`;
}

function withSecret(endpoint: StoredWebhookEndpoint): WebhookEndpointWithSecret {
  return { ...webhookEndpointObject(endpoint), signing_secret: endpoint.secret };
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}

function madeUpEvent(type: WebhookEventType, now: number): WebhookEvent {
  return {
    id: newId("webhook_event"),
    object: "event",
    type,
    created_at: now,
    data: { id: newBatchId(now) },
  };
}
