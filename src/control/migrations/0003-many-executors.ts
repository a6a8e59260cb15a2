import type { Kysely } from "kysely";
import type { Schema } from "../schema.ts";

/** Leases by name, and which place of files belongs to the database: several processes execute at once. */
export async function manyExecutors(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable("leases")
    .addColumn("name", "text", (column) => column.primaryKey())
    .addColumn("holder", "text", (column) => column.notNull())
    .addColumn("leased_until", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("storage")
    .addColumn("only", "integer", (column) => column.primaryKey())
    .addColumn("id", "text", (column) => column.notNull())
    .addColumn("is_placed", "integer", (column) => column.notNull())
    .execute();
}
