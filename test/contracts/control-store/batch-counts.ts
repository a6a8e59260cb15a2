import { expect, test } from "vitest";
import { batchStatuses } from "../../../src/batch/batch.ts";
import { aBatch, aFile, aRunningBatch, aTally, someShards } from "../../support/control-rows.ts";
import type { Stores } from "../control-store.ts";

export function batchCountTests(stores: () => Stores): void {
  test("batches of all projects are counted by status, in every process", async () => {
    const { store, other } = stores();
    expect(await other.countBatches()).toEqual([]);
    for (const [nth, status] of batchStatuses.entries()) {
      for (let batch = 0; batch <= nth; batch += 1) {
        await store.insertBatch(aBatch({ status, project: batch % 2 === 0 ? "default" : "search" }));
      }
    }
    const counted = await other.countBatches();
    const expected = batchStatuses.map((status, nth) => ({ status, batches: nth + 1 }));
    expect(counted.toSorted((a, b) => a.batches - b.batches)).toEqual(expected);
  });

  test("a status that no batch has any more is not counted", async () => {
    const { store } = stores();
    const batch = aBatch();
    await store.insertBatch(batch);
    await store.updateBatch(batch.id, batch.version, { status: "in_progress" });
    expect(await store.countBatches()).toEqual([{ status: "in_progress", batches: 1 }]);
  });

  test("lines are to do from the upload of their file until their shards have counted them", async () => {
    const { store, other } = stores();
    expect(await other.countQueuedLines()).toBe(0);
    const input = aFile({ lines: 70 });
    await store.insertFile(input);
    await store.insertBatch(aBatch({ input_file_id: input.id, project: "search" }));
    expect(await other.countQueuedLines()).toBe(70);
    const batch = aRunningBatch({ request_counts: { total: 1_000, completed: 0, failed: 0 } });
    await store.insertBatch(batch);
    await store.insertShards(batch.id, someShards(0, 2));
    const route = { endpoint: "/v1/chat/completions", model: "m" };
    const [lease] = await store.leaseShards({
      ...{ batchId: batch.id, ...route, holder: "h", limit: 1, leaseMs: 1_000 },
    });
    if (lease === undefined) throw new Error("There is no shard to lease");
    await store.finishShard(lease, [], aTally(500, 12));
    expect(await other.countQueuedLines()).toBe(70 + 1_000 - 512);
    for (const status of ["finalizing", "cancelling", "completed"] as const) {
      await store.insertBatch(aBatch({ status, request_counts: { total: 9, completed: 0, failed: 0 } }));
    }
    expect(await other.countQueuedLines()).toBe(70 + 1_000 - 512);
  });
}
