import type { StoredWebhookEndpoint } from "../../../src/batch/webhook.ts";
import type { SendResult, WebhookMessage, WebhookSender } from "../../../src/webhooks/sender.ts";
import { aWebhookEndpoint } from "../../support/control-rows.ts";
import { happens } from "../world/calls.ts";
import { theWorld } from "../world/world.ts";
import type { Database } from "./database.ts";

/** What receivers of events were sent; it outlives the program. */
export interface Receivers {
  sender: WebhookSender;
  readonly taken: TakenEvent[];
  /** Registers a receiver of each project, before the program runs for the first time. */
  register(database: Database): Promise<void>;
  /** Those that are there. */
  readonly endpoints: StoredWebhookEndpoint[];
}

export interface TakenEvent {
  url: string;
  /** The `webhook-id`. */
  id: string;
  type: string;
  batchId: string;
}

export function createReceivers(): Receivers {
  const taken: TakenEvent[] = [];
  const endpoints: StoredWebhookEndpoint[] = [];

  function send({ url, id, body }: WebhookMessage, signal: AbortSignal): Promise<SendResult> {
    const world = theWorld();
    const { life, random, weather } = world;
    world.trace.note("webhook");
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve({ status: null, failure: "it was broken off" }));
      // It arrives, whether or not whoever sent it is still there to hear so.
      world.later(null, random.next() * 50, () => {
        const refused = happens(weather.webhooks.failures);
        if (!refused) {
          const event: { type: string; data: { id: string } } = JSON.parse(body);
          taken.push({ url, id, type: event.type, batchId: event.data.id });
        }
        const result = refused ? random.pick(failures) : { status: 200 };
        world.later(life, random.next() * 50, () => resolve(result));
      });
    });
  }

  return {
    sender: { refusal: async () => null, send },
    taken,
    endpoints,
    async register({ store }) {
      if (!theWorld().weather.webhooks.areThere) return;
      for (const project of ["default", "other"]) {
        const endpoint = aWebhookEndpoint({
          id: `whe_${theWorld().random.bytes(16).toString("hex")}`,
          ...{ project, url: `https://hooks.example.net/${project}`, created_at: 0, updated_at: 0 },
        });
        endpoints.push(endpoint);
        await store.insertWebhookEndpoint(endpoint, 10);
      }
    },
  };
}

const failures: SendResult[] = [{ status: 500 }, { status: 302 }, { status: null, failure: "no answer" }];
