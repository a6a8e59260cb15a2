import type { BatchCountRecords } from "./batch-count-records.ts";
import type { SqlDatabase } from "./sql-database.ts";

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
  };
}
