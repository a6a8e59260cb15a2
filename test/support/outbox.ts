import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { StoredWebhookEndpoint, WebhookEvent } from "../../src/batch/webhook.ts";
import type { ControlStore } from "../../src/control/control-store.ts";
import { openSqliteControlStore } from "../../src/control/sqlite.ts";
import type { WebhookDelivery } from "../../src/control/webhook-records.ts";
import { createOutbox, type Outbox } from "../../src/engine/upkeep/outbox.ts";
import { createHttpSender } from "../../src/webhooks/http.ts";
import { createTestClock, type TestClock } from "./clock.ts";
import { anEvent, aRunningBatch, aWebhookEndpoint } from "./control-rows.ts";

export interface OutboxFixture {
  control: ControlStore;
  clock: TestClock;
  outbox: Outbox;
  /** Messages that were logged, with their fields. */
  logged: { fields: object; message: string }[];
  addEndpoint(url: string, more?: Partial<StoredWebhookEndpoint>): Promise<StoredWebhookEndpoint>;
  /** Ends a batch of project `default` now, which puts its event into the outbox, and lets the outbox look. */
  endBatch(): Promise<WebhookEvent>;
  /** All that is undelivered. */
  waiting(): Promise<WebhookDelivery[]>;
  /** Looks at what is undelivered, again and again, until it fulfils `condition`. */
  until(condition: (waiting: WebhookDelivery[]) => boolean): Promise<WebhookDelivery[]>;
  /** An outbox as the next process has it. */
  createOutbox(): Outbox;
}

/** An outbox on a real control store, a clock that stands still, and a sender that may reach this machine. */
export async function createOutboxFixture({
  timeoutMs = 10_000,
}: {
  /** Real milliseconds that a receiver has. */
  timeoutMs?: number;
} = {}): Promise<OutboxFixture> {
  const directory = mkdtempSync(join(tmpdir(), "nerif-outbox-"));
  const control = await openSqliteControlStore({ path: join(directory, "nerif.db") });
  const clock = createTestClock();
  const logged: OutboxFixture["logged"] = [];
  const note = (fields: object, message: string) => void logged.push({ fields, message });
  const log = { info: note, warn: note, error: note };
  const sender = createHttpSender({ allow: ["127.0.0.1"], timeoutMs });
  const created: Outbox[] = [];

  function create(): Outbox {
    // Exactly in the middle of the jitter.
    const outbox = createOutbox({ control, sender, clock, log, random: () => 0.5 });
    created.push(outbox);
    return outbox;
  }

  onTestFinished(async () => {
    for (const outbox of created) await outbox.stop(0);
    await control.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const outbox = create();
  const waiting = () => control.nextDeliveries({ limit: 1_000, exceptEndpoints: [], except: [] });
  return {
    ...{ control, clock, outbox, logged, waiting, createOutbox: create },
    async addEndpoint(url, more = {}) {
      const endpoint = aWebhookEndpoint({ url, ...more });
      await control.insertWebhookEndpoint(endpoint, 100);
      return endpoint;
    },
    async endBatch() {
      const batch = aRunningBatch();
      await control.insertBatch(batch);
      const event = anEvent(batch.id, { created_at: Math.floor(clock.now() / 1_000) });
      await control.updateBatch(batch.id, 1, { status: "completed" }, { event });
      outbox.look();
      return event;
    },
    async until(condition) {
      for (;;) {
        const found = await waiting();
        if (condition(found)) return found;
        await new Promise(setImmediate);
      }
    },
  };
}
