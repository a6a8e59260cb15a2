import type { BatchStatus } from "../batch/batch.ts";
import type { BatchCountRecords } from "./batch-count-records.ts";
import { linesToDo } from "./lines-to-do.ts";
import { type SqlDatabase, snapshot } from "./sql-database.ts";

/** Those whose lines are sent, or will be. */
const queuedStatuses: BatchStatus[] = ["validating", "in_progress"];

export function createBatchCountQueries({ run }: SqlDatabase): BatchCountRecords {
  return {
    countBatches: () =>
      run("count the batches", async (db) => {
        // Out of the index that begins with the status: no row is read.
        const rows = await db
          .selectFrom("batches")
          .select(["status", ({ fn }) => fn.countAll().as("batches")])
          .groupBy("status")
          .execute();
        return rows.map(({ status, batches }) => ({ status, batches: Number(batches) }));
      }),

    countQueuedLines: () =>
      run("count the lines to do", (db) =>
        snapshot(db, (transaction) =>
          linesToDo(transaction, (eb) => eb.and([eb("batches.status", "in", queuedStatuses)])),
        ),
      ),
  };
}
