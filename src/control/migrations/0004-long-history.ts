import { type Kysely, sql } from "kysely";
import type { Schema } from "../schema.ts";

/**
 * Indexes for what is asked for when there are very many batches, and their metadata by pair. What an older Nerif
 * beside this one inserts has no pairs: `is_noted` stays 0, and the sweep notes them.
 */
export async function longHistory(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .alterTable("batches")
    .addColumn("is_noted", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .createTable("batch_pairs")
    .addColumn("seq", "bigint", (column) => column.notNull().references("batches.seq").onDelete("cascade"))
    .addColumn("pair", "text", (column) => column.notNull())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("batch_pairs_key", ["seq", "pair"])
    .execute();
  await db.schema
    .createIndex("batch_pairs_by_age")
    .on("batch_pairs")
    .columns(["pair", "project", "created_at", "seq"])
    .execute();
  await db.schema
    .createIndex("batches_not_noted")
    .on("batches")
    .columns(["created_at", "seq"])
    .where(sql<boolean>`is_noted = 0`)
    .execute();
  await db.schema.createIndex("batches_in_order").on("batches").columns(["created_at", "seq"]).execute();
  await db.schema
    .createIndex("batches_in_status")
    .on("batches")
    .columns(["project", "status", "created_at", "seq"])
    .execute();
  await db.schema
    .createIndex("files_in_order")
    .on("files")
    .columns(["project", "is_removed", "created_at", "seq"])
    .execute();
  await db.schema
    .createIndex("files_of_purpose")
    .on("files")
    .columns(["project", "is_removed", "purpose", "created_at", "seq"])
    .execute();
}
