import { expect, test } from "vitest";
import type { WebhookEvent } from "../../../src/batch/webhook.ts";
import type { ControlStore } from "../../../src/control/control-store.ts";
import type { DeliveryQuery } from "../../../src/control/webhook-records.ts";
import { anEvent, aRunningBatch, aWebhookEndpoint } from "../../support/control-rows.ts";
import type { Stores } from "../control-store.ts";

const all: DeliveryQuery = { limit: 100, exceptEndpoints: [], except: [] };

export function webhookTests(stores: () => Stores): void {
  test("an endpoint comes back as it was recorded when another process asks, and to its own project only", async () => {
    const { store, other } = stores();
    const endpoint = aWebhookEndpoint({ name: "ünï 💥", old_secret: "whsec_b2xk", old_secret_until: 5 });
    expect(await store.insertWebhookEndpoint(endpoint, 20)).toBe(true);
    expect(await other.getWebhookEndpoint("default", endpoint.id)).toEqual(endpoint);
    expect(await other.getWebhookEndpoint("foreign", endpoint.id)).toBeNull();
    expect(await other.getWebhookEndpoint("default", aWebhookEndpoint().id)).toBeNull();
  });

  test("an endpoint is not recorded when its project has the most already", async () => {
    const { store } = stores();
    await store.insertWebhookEndpoint(aWebhookEndpoint({ project: "other" }), 2);
    for (const expected of [true, true, false]) {
      expect(await store.insertWebhookEndpoint(aWebhookEndpoint(), 2)).toBe(expected);
    }
    expect(await store.listWebhookEndpoints({ project: "default", limit: 10 })).toHaveLength(2);
  });

  test("endpoints of one second are paged newest first, within their project", async () => {
    const { store } = stores();
    const endpoints = Array.from({ length: 7 }, (_, index) =>
      aWebhookEndpoint({ created_at: (100 + index / 4) | 0 }),
    );
    for (const endpoint of endpoints) await store.insertWebhookEndpoint(endpoint, 20);
    const foreign = aWebhookEndpoint({ project: "other" });
    await store.insertWebhookEndpoint(foreign, 20);
    const newestFirst = endpoints.toReversed();
    const first = await store.listWebhookEndpoints({ project: "default", limit: 3 });
    expect(first).toEqual(newestFirst.slice(0, 3));
    const after = first.at(-1)?.id;
    expect(await store.listWebhookEndpoints({ project: "default", limit: 100, after })).toEqual(
      newestFirst.slice(3),
    );
    for (const unknown of [foreign.id, aWebhookEndpoint().id]) {
      const list = store.listWebhookEndpoints({ project: "default", limit: 1, after: unknown });
      await expect(list).rejects.toMatchObject({ code: "cursor_not_found", param: "after" });
    }
  });

  test("an endpoint is changed by the first of two writers that read the same version", async () => {
    const { store, other } = stores();
    const endpoint = aWebhookEndpoint();
    await store.insertWebhookEndpoint(endpoint, 20);
    const patch = { name: "new", event_types: ["batch.failed" as const], updated_at: 9 };
    const changed = { ...endpoint, ...patch, version: 2 };
    expect(await store.updateWebhookEndpoint(endpoint.id, 1, patch)).toEqual(changed);
    expect(await other.updateWebhookEndpoint(endpoint.id, 1, { name: "late" })).toBeNull();
    expect(await other.getWebhookEndpoint("default", endpoint.id)).toEqual(changed);
  });

  test("an event waits for each endpoint of the batch's project that wants its type, with an id of its own", async () => {
    const { store, other } = stores();
    const [one, two] = [aWebhookEndpoint(), aWebhookEndpoint({ event_types: ["batch.completed"] })] as const;
    const deaf = aWebhookEndpoint({ event_types: ["batch.failed", "batch.expired", "batch.cancelled"] });
    for (const endpoint of [one, two, deaf, aWebhookEndpoint({ project: "other" })]) {
      await store.insertWebhookEndpoint(endpoint, 20);
    }
    const event = await endWithEvent(store);
    const waiting = await other.nextDeliveries(all);
    expect(waiting.map(({ endpoint }) => endpoint.id).toSorted()).toEqual([one.id, two.id].toSorted());
    expect(new Set(waiting.map(({ id }) => id)).size).toBe(2);
    for (const delivery of waiting) {
      expect(delivery.id).toMatch(/^wh_[0-9a-f]{32}$/);
      expect(delivery).toMatchObject({ event, attempts: 0, due_at: event.created_at });
    }
    expect(waiting.map(({ endpoint }) => endpoint)).toContainEqual(two);
  });

  test("no event is recorded when another writer was first", async () => {
    const { store } = stores();
    await store.insertWebhookEndpoint(aWebhookEndpoint(), 20);
    const batch = aRunningBatch();
    await store.insertBatch(batch);
    const event = anEvent(batch.id);
    expect(await store.updateBatch(batch.id, 7, { status: "completed" }, { event })).toBeNull();
    expect(await store.nextDeliveries(all)).toEqual([]);
  });

  test("deliveries come in the order in which they are due, without those that are left out", async () => {
    const { store, other } = stores();
    const [one, two] = [aWebhookEndpoint(), aWebhookEndpoint()] as const;
    await store.insertWebhookEndpoint(one, 20);
    await store.insertWebhookEndpoint(two, 20);
    await endWithEvent(store, { created_at: 200 });
    await endWithEvent(store, { created_at: 100 });
    const due = async (more: Partial<DeliveryQuery>) =>
      (await other.nextDeliveries({ ...all, ...more })).map(({ due_at, endpoint }) => [due_at, endpoint.id]);
    expect((await due({})).map(([at]) => at)).toEqual([100, 100, 200, 200]);
    expect((await due({ limit: 3 })).map(([at]) => at)).toEqual([100, 100, 200]);
    expect(await other.nextDeliveries({ ...all, exceptEndpoints: [one.id] })).toHaveLength(2);
    expect(await other.nextDeliveries({ ...all, exceptEndpoints: [one.id, two.id] })).toEqual([]);
    const [first] = await other.nextDeliveries({ ...all, exceptEndpoints: [two.id] });
    if (first === undefined) throw new Error("There is no delivery");
    await store.postponeDelivery(first.id, { attempts: 3, due_at: 300 });
    expect(await due({ exceptEndpoints: [two.id] })).toEqual([
      [200, one.id],
      [300, one.id],
    ]);
    const last = (await other.nextDeliveries(all)).at(-1);
    expect(last).toEqual({ ...first, attempts: 3, due_at: 300 });
    expect((await due({ except: [first.id] })).map(([at]) => at)).toEqual([100, 200, 200]);
    await store.removeDelivery(first.id);
    expect((await due({})).map(([at]) => at)).toEqual([100, 200, 200]);
  });

  test("old deliveries are forgotten, whenever they are due", async () => {
    const { store, other } = stores();
    await store.insertWebhookEndpoint(aWebhookEndpoint(), 20);
    await endWithEvent(store, { created_at: 99 });
    const [old] = await store.nextDeliveries(all);
    if (old === undefined) throw new Error("There is no delivery");
    await store.postponeDelivery(old.id, { attempts: 1, due_at: 500 });
    await endWithEvent(store, { created_at: 100 });
    expect(await other.removeOldDeliveries(100)).toBe(1);
    expect((await store.nextDeliveries(all)).map(({ event }) => event.created_at)).toEqual([100]);
    expect(await other.removeOldDeliveries(100)).toBe(0);
  });

  test("an endpoint takes its deliveries with it when its own project deletes it", async () => {
    const { store, other } = stores();
    const [gone, kept] = [aWebhookEndpoint(), aWebhookEndpoint()] as const;
    await store.insertWebhookEndpoint(gone, 20);
    await store.insertWebhookEndpoint(kept, 20);
    await endWithEvent(store);
    expect(await other.deleteWebhookEndpoint("foreign", gone.id)).toBe(false);
    expect(await other.nextDeliveries(all)).toHaveLength(2);
    expect(await other.deleteWebhookEndpoint("default", gone.id)).toBe(true);
    expect(await other.deleteWebhookEndpoint("default", gone.id)).toBe(false);
    expect(await store.getWebhookEndpoint("default", gone.id)).toBeNull();
    expect((await store.nextDeliveries(all)).map(({ endpoint }) => endpoint.id)).toEqual([kept.id]);
  });
}

/** Ends a new batch, and says so. */
async function endWithEvent(store: ControlStore, more: Partial<WebhookEvent> = {}): Promise<WebhookEvent> {
  const batch = aRunningBatch();
  await store.insertBatch(batch);
  const event = anEvent(batch.id, more);
  await store.updateBatch(batch.id, 1, { status: "completed" }, { event });
  return event;
}
