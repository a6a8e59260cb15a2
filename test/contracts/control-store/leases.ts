import { expect, test } from "vitest";
import type { LeaseRequest, Shard } from "../../../src/control/control-store.ts";
import { aRunningBatch, aTally, someShards } from "../../support/control-rows.ts";
import type { Stores } from "../control-store.ts";

const chat = { endpoint: "/v1/chat/completions", model: "m" };
const segments = [
  { epoch: 1, bytes: 70_000 },
  { epoch: 3, bytes: 12 },
];

export function leaseTests(stores: () => Stores): void {
  test("a lease takes the lowest free shards of its route and raises their epochs", async () => {
    const { store, other } = stores();
    const id = await batchWith(10);
    const first = await lease(store, id, { limit: 3 });
    expect(first.map(({ shard, epoch, state, holder }) => [shard, epoch, state, holder])).toEqual([
      [0, 1, "leased", "a"],
      [1, 1, "leased", "a"],
      [2, 1, "leased", "a"],
    ]);
    expect((await lease(other, id, { holder: "b", limit: 2 })).map((shard) => shard.shard)).toEqual([3, 4]);
    expect(await store.shardsInOrder(id, -1, 3)).toEqual(first);
  });

  test("a lease looks only at its own batch and route", async () => {
    const { store } = stores();
    const id = await batchWith(1);
    const routes = [
      { endpoint: "/v1/chat/completions", model: "n" },
      { endpoint: "/v1/embeddings", model: "m" },
      { endpoint: "/v1/embeddings", model: null },
      { endpoint: null, model: null },
    ];
    for (const [index, route] of routes.entries()) {
      await store.insertShards(id, someShards(index + 1, index + 2, route));
    }
    await batchWith(1);
    for (const [index, route] of [chat, ...routes].entries()) {
      const leased = await lease(store, id, { ...route, limit: 10 });
      expect(leased.map(({ batchId, shard }) => [batchId, shard])).toEqual([[id, index]]);
    }
  });

  test("a lease of one shard takes that shard, whatever its route, if it is free", async () => {
    const { store } = stores();
    const id = await batchWith(5);
    const one = { endpoint: null, model: null, shard: 3 };
    expect((await lease(store, id, one)).map(({ shard, epoch }) => [shard, epoch])).toEqual([[3, 1]]);
    expect(await lease(store, id, { ...one, holder: "b" })).toEqual([]);
  });

  test("nothing is leased when the batch no longer has the version that is named", async () => {
    const { store, other } = stores();
    const id = await batchWith(2);
    expect(await lease(store, id, { version: 1 })).toMatchObject([{ shard: 0, epoch: 1 }]);
    await other.updateBatch(id, 1, { status: "cancelling" });
    expect(await lease(store, id, { version: 1 })).toEqual([]);
    expect(await lease(store, id, { version: 2 })).toMatchObject([{ shard: 1, epoch: 1 }]);
  });

  test("no shard goes to two holders when many ask at once", async () => {
    const { store, other } = stores();
    const id = await batchWith(100);
    const leases = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        lease(index % 2 === 0 ? store : other, id, { holder: `h${index}`, limit: 5 }),
      ),
    );
    const shards = leases.flat().map((shard) => shard.shard);
    expect(shards.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test("a lease goes to another holder once it has run out, not a millisecond before", async () => {
    const { store, other, clock } = stores();
    const id = await batchWith(1);
    const [old] = await lease(store, id, { leaseMs: 500 });
    clock.now += 499;
    expect(await lease(other, id, { holder: "b" })).toEqual([]);
    clock.now += 1;
    const [taken] = await lease(other, id, { holder: "b" });
    expect(taken).toMatchObject({ holder: "b", epoch: (old?.epoch ?? 0) + 1 });
  });

  test("a lease that has run out is not given again to the holder that still runs it", async () => {
    const { store, clock } = stores();
    const id = await batchWith(1);
    const [held] = await lease(store, id, { leaseMs: 500 });
    clock.now += 10_000;
    expect(await lease(store, id, { leaseMs: 500 })).toEqual([]);
    expect(await store.renewLease(must(held), 500, aTally(1))).toBe(true);
    expect(await lease(store, id, { holder: "b" })).toEqual([]);
    clock.now += 500;
    expect(await lease(store, id, { holder: "b" })).toHaveLength(1);
  });

  test("a heartbeat prolongs the lease and writes the counts", async () => {
    const { store, other, clock } = stores();
    const id = await batchWith(1);
    const held = must((await lease(store, id, { leaseMs: 500 }))[0]);
    clock.now += 400;
    expect(await store.renewLease(held, 500, aTally(7, 3))).toBe(true);
    clock.now += 499;
    expect(await lease(other, id, { holder: "b" })).toEqual([]);
    expect(await other.shardsInOrder(id, -1, 1)).toEqual([{ ...held, ...aTally(7, 3) }]);
  });

  test("everything that an old holder writes is refused and changes nothing", async () => {
    const { store, other, clock } = stores();
    const id = await batchWith(1);
    const stale = must((await lease(store, id, { leaseMs: 1 }))[0]);
    clock.now += 1;
    const current = must((await lease(other, id, { holder: "b", leaseMs: 1_000 }))[0]);
    expect(await store.renewLease(stale, 9_000, aTally(500))).toBe(false);
    expect(await store.noteSegments(stale, segments)).toBe(false);
    expect(await store.releaseShard(stale, segments, aTally(500))).toBe(false);
    expect(await store.finishShard(stale, segments, aTally(500))).toBe(false);
    expect(await store.shardsInOrder(id, -1, 1)).toEqual([current]);
    clock.now += 1_000;
    expect(await lease(store, id, { holder: "c" })).toHaveLength(1);
  });

  test("a renewal by an old holder is refused also beside one by the new holder", async () => {
    const { store, other, clock } = stores();
    const id = await batchWith(1);
    const stale = must((await lease(store, id, { leaseMs: 1 }))[0]);
    clock.now += 1;
    const current = must((await lease(other, id, { holder: "b", leaseMs: 500 }))[0]);
    for (const order of [
      [stale, current],
      [current, stale],
    ]) {
      const renewed = await Promise.all(order.map((one) => store.renewLease(one, 1_000, aTally(one.epoch))));
      expect(renewed).toEqual(order.map((one) => one === current));
    }
    expect(await store.shardsInOrder(id, -1, 1)).toEqual([{ ...current, ...aTally(current.epoch) }]);
  });

  test("a shard that was handed back keeps its counts and segments and goes to the next", async () => {
    const { store } = stores();
    const id = await batchWith(1);
    const held = must((await lease(store, id))[0]);
    expect(await store.noteSegments(held, segments.slice(0, 1))).toBe(true);
    expect((await store.shardsInOrder(id, -1, 1))[0]?.segments).toEqual(segments.slice(0, 1));
    expect(await store.releaseShard(held, segments, aTally(5, 1))).toBe(true);
    expect(await store.releaseShard(held, [], aTally(0))).toBe(false);
    const free = { ...held, state: "open", holder: null, segments, ...aTally(5, 1) };
    expect(await store.shardsInOrder(id, -1, 1)).toEqual([free]);
    // Also to the one who gave it back.
    expect(await lease(store, id)).toEqual([{ ...free, state: "leased", holder: "a", epoch: 2 }]);
  });

  test("a shard that is done is never leased again unless it is reopened", async () => {
    const { store, clock } = stores();
    const id = await batchWith(1);
    const held = must((await lease(store, id))[0]);
    expect(await store.finishShard(held, segments, aTally(512))).toBe(true);
    expect(await store.finishShard(held, segments, aTally(512))).toBe(false);
    expect(await store.renewLease(held, 1, aTally(0))).toBe(false);
    const done = { ...held, state: "done", holder: null, segments, ...aTally(512) };
    expect(await store.shardsInOrder(id, -1, 1)).toEqual([done]);
    clock.now += 1_000_000;
    expect(await lease(store, id, { holder: "b" })).toEqual([]);

    await store.reopenShard(id, 0);
    expect(await lease(store, id, { holder: "b" })).toMatchObject([{ epoch: 2, segments, completed: 512 }]);
    await store.reopenShard(id, 0);
    expect(await store.shardsInOrder(id, -1, 1)).toMatchObject([{ state: "leased", holder: "b" }]);
  });

  test("leases that are renewed at once are each prolonged, or refused, for themselves", async () => {
    const { store, other, clock } = stores();
    const id = await batchWith(250);
    const leased = await lease(store, id, { limit: 250, leaseMs: 500 });
    await store.finishShard(must(leased[7]), [], aTally(512));
    clock.now += 400;
    const renewed = await Promise.all(leased.map((one, nth) => store.renewLease(one, 500, aTally(nth, 1))));
    expect(renewed).toEqual(leased.map((_, nth) => nth !== 7));
    clock.now += 499;
    expect(await lease(other, id, { holder: "b" })).toEqual([]);
    const shards = await other.shardsInOrder(id, -1, 250);
    expect(shards.map(({ completed, failed }) => [completed, failed])).toEqual(
      leased.map((_, nth) => (nth === 7 ? [512, 0] : [nth, 1])),
    );
  });

  test("a batch is held as long as others have all of its shards that are not done", async () => {
    const { store, other, clock } = stores();
    const [id, second] = [await batchWith(2), await batchWith(1)];
    const both = [id, second].map((each) => ({ id: each, version: 1 }));
    expect(await store.heldBatches(both)).toEqual([]);
    const leased = [...(await lease(other, id, { limit: 2, leaseMs: 500 }))];
    const [last] = await lease(other, second, { leaseMs: 900 });
    expect((await store.heldBatches(both)).toSorted()).toEqual([id, second].toSorted());
    // Done in part it is still held, handed back it is not.
    await other.finishShard(must(leased[0]), [], aTally(512));
    expect(await store.heldBatches([{ id, version: 1 }])).toEqual([id]);
    await other.releaseShard(must(leased[1]), [], aTally(1));
    expect(await store.heldBatches(both)).toEqual([second]);
    expect(await store.heldBatches([{ id: second, version: 2 }])).toEqual([]);
    clock.now += 900;
    expect(await store.heldBatches(both)).toEqual([]);
    await other.finishShard(must(last), [], aTally(512));
    expect(await store.heldBatches(both)).toEqual([]);
  });

  test("revoked leases are void at once and free for all", async () => {
    const { store, other } = stores();
    const id = await batchWith(3);
    const done = must((await lease(store, id))[0]);
    await store.finishShard(done, [], aTally(1));
    const held = must((await lease(store, id))[0]);
    await other.revokeLeases();
    expect(await store.finishShard(held, [], aTally(1))).toBe(false);
    expect(await store.renewLease(held, 1_000, aTally(1))).toBe(false);
    const leased = await lease(other, id, { holder: "b", limit: 10 });
    expect(leased.map(({ shard, epoch }) => [shard, epoch])).toEqual([
      [1, 2],
      [2, 1],
    ]);
    expect(await store.finishShard(held, [], aTally(1))).toBe(false);
  });

  test("shards that are finished at the same time each have a verdict of their own", async () => {
    const { store } = stores();
    const id = await batchWith(3);
    const [first, second, third] = await lease(store, id, { limit: 3 });
    const stale = { ...must(second), epoch: 0 };
    const finished = [must(first), stale, must(third)].map((held) =>
      store.finishShard(held, segments, aTally(512)),
    );
    expect(await Promise.all(finished)).toEqual([true, false, true]);
    const states = (await store.shardsInOrder(id, -1, 3)).map(({ state }) => state);
    expect(states).toEqual(["done", "leased", "done"]);
  });

  async function batchWith(shards: number): Promise<string> {
    const batch = aRunningBatch();
    await stores().store.insertBatch(batch);
    await stores().store.insertShards(batch.id, someShards(0, shards));
    return batch.id;
  }
}

function lease(store: Stores["store"], batchId: string, more: Partial<LeaseRequest> = {}): Promise<Shard[]> {
  return store.leaseShards({ batchId, ...chat, holder: "a", limit: 1, leaseMs: 1_000, ...more });
}

function must(shard: Shard | undefined): Shard {
  if (shard === undefined) throw new Error("Cannot go on: no shard was leased");
  return shard;
}
