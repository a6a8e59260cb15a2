import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

type Table = "batches" | "uploads" | "upload_parts" | "webhook_endpoints" | "api_keys";

/** For `run`: what an insert has answered, if its row is there. Ids are drawn anew for each, so it is its own row. */
export function ifRecorded<T>(
  { table, id }: { table: Table; id: string },
  answer: T,
): (db: Kysely<Schema>) => Promise<T | null> {
  return async (db) => {
    const row = await db.selectFrom(table).select("id").where("id", "=", id).executeTakeFirst();
    return row === undefined ? null : answer;
  };
}
