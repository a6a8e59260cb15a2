import { type Kysely, sql } from "kysely";
import type { HeldRecords } from "./held-records.ts";
import type { Schema } from "./schema.ts";
import type { SqlDatabase } from "./sql-database.ts";

const batchesPerStatement = 500;

export function createHeldQueries(database: SqlDatabase): HeldRecords {
  return {
    heldBatches: (batches) =>
      database.run("look for news of batches", async (db) => {
        const versions = new Map(batches.map(({ id, version }) => [id, version]));
        const ids = [...versions.keys()];
        const held: { id: string; version: number }[] = [];
        for (let from = 0; from < ids.length; from += batchesPerStatement) {
          const some = ids.slice(from, from + batchesPerStatement);
          held.push(...(await heldOf(db, some, Math.floor(database.leaseClock()))));
        }
        return held.filter(({ id, version }) => version === versions.get(id)).map(({ id }) => id);
      }),
  };
}

function heldOf(db: Kysely<Schema>, ids: string[], now: number) {
  return (
    db
      .selectFrom("batches")
      .select(["id", "version"])
      .where("id", "in", ids)
      // Literal, so that SQLite sees that the index of shards that are not done will do.
      .where(sql<boolean>`exists (select 1 from shards where batch_id = batches.id and state <> 'done')`)
      .where(
        sql<boolean>`not exists (select 1 from shards where batch_id = batches.id and state <> 'done'
          and (state = 'open' or leased_until <= ${now}))`,
      )
      .execute()
  );
}
