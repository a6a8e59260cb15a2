import { sql } from "kysely";
import { insertPairs } from "./batch-pairs.ts";
import type { NotingRecords } from "./noting-records.ts";
import type { SqlDatabase } from "./sql-database.ts";

export function createNotingQueries({ run }: SqlDatabase): NotingRecords {
  return {
    noteMetadata: (limit) =>
      run("note the metadata of batches", (db) =>
        db.transaction().execute(async (transaction) => {
          const rows = await transaction
            .selectFrom("batches")
            .select(["seq", "project", "created_at", "metadata_json"])
            .where(sql<boolean>`is_noted = 0`)
            .orderBy("created_at")
            .limit(limit)
            .execute();
          if (rows.length === 0) return false;
          await insertPairs(transaction, rows);
          const noted = rows.map(({ seq }) => seq);
          await transaction.updateTable("batches").set({ is_noted: 1 }).where("seq", "in", noted).execute();
          return true;
        }),
      ),
  };
}
