import { expect, test } from "vitest";
import { aRunningBatch, aTally, someShards } from "../../support/control-rows.ts";
import type { Stores } from "../control-store.ts";

const chat = { endpoint: "/v1/chat/completions", model: "m" };
const embeddings = { endpoint: "/v1/embeddings", model: null };
const shared = { endpoint: null, model: null };

export function shardTests(stores: () => Stores): void {
  test("shards come back as they were recorded, by their first lines", async () => {
    const { store, other } = stores();
    const { id } = await insertBatch(stores());
    const shards = [
      { shard: 0, ...chat, firstLine: 0, lines: 512, planOffset: 16 },
      { shard: 2, ...shared, firstLine: 1, lines: 1, planOffset: 5_000_000_000 },
      { shard: 1, ...embeddings, firstLine: 4_000_000_000, lines: 3, planOffset: 17_000 },
    ];
    await store.insertShards(id, shards.toReversed());
    const fresh = { batchId: id, state: "open", epoch: 0, holder: null, segments: [], ...aTally(0) };
    expect(await other.shardsInOrder(id, -1, 10)).toEqual(shards.map((shard) => ({ ...fresh, ...shard })));
  });

  test("5,000 shards are paged by their first lines and leased to the last", async () => {
    const { store } = stores();
    const { id } = await insertBatch(stores());
    const all = someShards(0, 5_000);
    for (let from = 0; from < all.length; from += 1_000) {
      await store.insertShards(id, all.slice(from, from + 1_000));
    }
    const seen: number[] = [];
    for (let after = -1; ; ) {
      const page = await store.shardsInOrder(id, after, 700);
      const last = page.at(-1);
      if (last === undefined) break;
      seen.push(...page.map((shard) => shard.shard));
      after = last.firstLine;
    }
    expect(seen).toEqual(all.map((shard) => shard.shard));

    const leased: number[] = [];
    for (;;) {
      const shards = await store.leaseShards({
        batchId: id,
        ...chat,
        holder: "h",
        limit: 500,
        leaseMs: 1_000,
      });
      if (shards.length === 0) break;
      leased.push(...shards.map((shard) => shard.shard));
    }
    expect(leased).toEqual(seen);
    await store.deleteShards(id);
    expect(await store.shardsInOrder(id, -1, 10)).toEqual([]);
  });

  test("shards change only while their batch has the version that is named", async () => {
    const { store } = stores();
    const { id, version } = await insertBatch(stores());
    expect(await store.insertShards(id, someShards(0, 2), { version })).toBe(true);
    await store.updateBatch(id, version, {});

    expect(await store.insertShards(id, someShards(2, 3), { version })).toBe(false);
    expect(await store.deleteShards(id, { version })).toBe(false);
    expect((await store.shardsInOrder(id, -1, 10)).map(({ shard }) => shard)).toEqual([0, 1]);
    expect(await store.deleteShards(id, { version: version + 1 })).toBe(true);
    expect(await store.shardsInOrder(id, -1, 10)).toEqual([]);
  });

  test("a shard is replaced, and its lease void, when it is recorded again", async () => {
    const { store } = stores();
    const { id } = await insertBatch(stores());
    await store.insertShards(id, someShards(0, 2));
    const [old] = await store.leaseShards({ batchId: id, ...chat, holder: "h", limit: 1, leaseMs: 1_000 });
    if (old === undefined) throw new Error("no shard");
    await store.renewLease(old, 1_000, aTally(5));

    await store.insertShards(id, someShards(0, 1, { ...embeddings, firstLine: 7, lines: 9, planOffset: 11 }));
    const [replaced] = await store.shardsInOrder(id, -1, 1);
    expect(replaced).toMatchObject({
      ...embeddings,
      firstLine: 7,
      lines: 9,
      planOffset: 11,
      state: "open",
      ...aTally(0),
    });
    expect(await store.shardsInOrder(id, -1, 10)).toHaveLength(2);

    const request = { batchId: id, ...embeddings, holder: "other", limit: 1, leaseMs: 1_000 };
    expect(await store.leaseShards(request)).toHaveLength(1);
    expect(await store.finishShard(old, [], aTally(1))).toBe(false);
  });

  test("shards are recorded all or none", async () => {
    const { store } = stores();
    const { id } = await insertBatch(stores());
    const shards = someShards(0, 500);
    const last = shards.at(-1);
    if (last === undefined) throw new Error("no shards");
    // What no database takes: a column that must not be null.
    shards.push({ ...last, shard: 500, lines: null as unknown as number });
    await expect(store.insertShards(id, shards)).rejects.toMatchObject({ name: "NerifError" });
    expect(await store.shardsInOrder(id, -1, 10)).toEqual([]);
  });

  test("shards of a batch that is not there are refused", async () => {
    const insert = stores().store.insertShards("batch_0", someShards(0, 1));
    await expect(insert).rejects.toMatchObject({ name: "NerifError" });
  });

  test("open routes are those with shards that are not done, and how many", async () => {
    const { store } = stores();
    const { id } = await insertBatch(stores());
    await store.insertShards(id, someShards(0, 3, chat));
    await store.insertShards(id, someShards(3, 4, embeddings));
    await store.insertShards(id, someShards(4, 6, shared));
    expect(await store.openRoutes(id)).toHaveLength(3);

    for (const [route, limit] of [
      [chat, 2],
      [embeddings, 1],
    ] as const) {
      const leased = await store.leaseShards({ batchId: id, ...route, holder: "h", limit, leaseMs: 1_000 });
      expect(leased).toHaveLength(limit);
      // The second of the chat shards stays leased.
      await store.finishShard(leased[0] ?? { batchId: id, shard: -1, epoch: 0 }, [], aTally(1));
    }
    const open = await store.openRoutes(id);
    expect(open).toHaveLength(2);
    expect(open).toContainEqual({ ...chat, shards: 2 });
    expect(open).toContainEqual({ ...shared, shards: 2 });
    expect(await store.openRoutes("batch_0")).toEqual([]);
  });
}

async function insertBatch({ store }: Stores) {
  const batch = aRunningBatch();
  await store.insertBatch(batch);
  return batch;
}
