import { expect, test } from "vitest";
import { batchStatuses } from "../../../src/batch/batch.ts";
import { aBatch } from "../../support/control-rows.ts";
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
}
