import { type Kysely, sql } from "kysely";
import type { Schema } from "../schema.ts";
import type { MigrationDialect } from "../sql-database.ts";

/** Files, batches and shards. */
export async function initial(db: Kysely<Schema>, dialect: MigrationDialect): Promise<void> {
  await createFiles(db, dialect);
  await createBatches(db, dialect);
  await createShards(db);
}

async function createFiles(db: Kysely<Schema>, { sequence }: MigrationDialect): Promise<void> {
  await db.schema
    .createTable("files")
    .addColumn("seq", sequence.type, sequence.build)
    .addColumn("id", "text", (column) => column.notNull().unique())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("bytes", "bigint", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint")
    .addColumn("filename", "text", (column) => column.notNull())
    .addColumn("purpose", "text", (column) => column.notNull())
    .addColumn("sha256", "text", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("is_deleted", "integer", (column) => column.notNull().defaultTo(0))
    .addColumn("is_removed", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.createIndex("files_by_age").on("files").columns(["project", "created_at", "seq"]).execute();
  await db.schema
    .createIndex("files_to_remove")
    .on("files")
    .columns(["is_removed", "is_deleted", "expires_at"])
    .execute();
}

async function createBatches(db: Kysely<Schema>, { sequence }: MigrationDialect): Promise<void> {
  await db.schema
    .createTable("batches")
    .addColumn("seq", sequence.type, sequence.build)
    .addColumn("id", "text", (column) => column.notNull().unique())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("version", "bigint", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("model", "text")
    .addColumn("input_file_id", "text", (column) => column.notNull())
    .addColumn("completion_window", "text", (column) => column.notNull())
    .addColumn("output_file_id", "text")
    .addColumn("error_file_id", "text")
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("in_progress_at", "bigint")
    .addColumn("expires_at", "bigint")
    .addColumn("finalizing_at", "bigint")
    .addColumn("completed_at", "bigint")
    .addColumn("failed_at", "bigint")
    .addColumn("expired_at", "bigint")
    .addColumn("cancelling_at", "bigint")
    .addColumn("cancelled_at", "bigint")
    .addColumn("ending", "text")
    .addColumn("total", "bigint", (column) => column.notNull())
    .addColumn("completed", "bigint", (column) => column.notNull())
    .addColumn("failed", "bigint", (column) => column.notNull())
    .addColumn("usage_json", "text")
    .addColumn("errors_json", "text")
    .addColumn("metadata_json", "text")
    .addColumn("output_expires_after_json", "text")
    .addColumn("result_files_json", "text")
    .execute();
  await db.schema
    .createIndex("batches_by_age")
    .on("batches")
    .columns(["project", "created_at", "seq"])
    .execute();
  await db.schema.createIndex("batches_by_status").on("batches").columns(["status"]).execute();
  await db.schema.createIndex("batches_by_input").on("batches").columns(["input_file_id"]).execute();
}

async function createShards(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable("shards")
    .addColumn("batch_id", "text", (column) => column.notNull().references("batches.id").onDelete("cascade"))
    .addColumn("shard", "integer", (column) => column.notNull())
    .addColumn("endpoint", "text")
    .addColumn("model", "text")
    .addColumn("first_line", "bigint", (column) => column.notNull())
    .addColumn("lines", "integer", (column) => column.notNull())
    .addColumn("plan_offset", "bigint", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull().defaultTo("open"))
    .addColumn("epoch", "integer", (column) => column.notNull().defaultTo(0))
    .addColumn("holder", "text")
    .addColumn("leased_until", "bigint")
    .addColumn("segments_json", "text", (column) => column.notNull().defaultTo("[]"))
    .addColumn("completed", "integer", (column) => column.notNull().defaultTo(0))
    .addColumn("failed", "integer", (column) => column.notNull().defaultTo(0))
    .addColumn("input_tokens", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("cached_tokens", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("output_tokens", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("reasoning_tokens", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("total_tokens", "bigint", (column) => column.notNull().defaultTo(0))
    .addPrimaryKeyConstraint("shards_key", ["batch_id", "shard"])
    .execute();
  await db.schema.createIndex("shards_in_order").on("shards").columns(["batch_id", "first_line"]).execute();
  // A lease looks only at what is left, however many shards are done.
  await db.schema
    .createIndex("shards_not_done")
    .on("shards")
    .columns(["batch_id", "endpoint", "model", "shard"])
    .where(sql<boolean>`state <> 'done'`)
    .execute();
}
