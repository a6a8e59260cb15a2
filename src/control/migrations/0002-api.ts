import type { Kysely } from "kysely";
import { metadataText } from "../metadata-text.ts";
import type { Schema } from "../schema.ts";
import type { MigrationDialect } from "../sql-database.ts";

/** Uploads, API keys, webhooks and idempotency keys; metadata can be searched. */
export async function api(db: Kysely<Schema>, dialect: MigrationDialect): Promise<void> {
  await createApiKeys(db, dialect);
  await createUploads(db);
  await createWebhooks(db, dialect);
  await createIdempotencyKeys(db);
  await rewriteMetadata(db);
  // All that is asked about unfinished batches many times a second is in the index: their rows hold a lot more.
  await db.schema
    .createIndex("batches_unfinished")
    .on("batches")
    .columns(["status", "expires_at", "created_at", "ending", "id", "project", "result_files_json"])
    .execute();
}

async function createApiKeys(db: Kysely<Schema>, { sequence }: MigrationDialect): Promise<void> {
  await db.schema
    .createTable("api_keys")
    .addColumn("seq", sequence.type, sequence.build)
    .addColumn("id", "text", (column) => column.notNull().unique())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("hash", "text", (column) => column.notNull().unique())
    .addColumn("hint", "text", (column) => column.notNull())
    .addColumn("quotas_json", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("revoked_at", "bigint")
    .execute();
  await db.schema.alterTable("files").addColumn("api_key", "text").execute();
  await db.schema.alterTable("files").addColumn("lines", "bigint").execute();
  await db.schema.alterTable("batches").addColumn("api_key", "text").execute();
  // With what is added up, so that a key's usage is read from the index alone.
  await db.schema
    .createIndex("files_by_key")
    .on("files")
    .columns(["api_key", "is_removed", "bytes"])
    .execute();
  await db.schema.createIndex("batches_by_key").on("batches").columns(["api_key", "status"]).execute();
}

async function createUploads(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable("uploads")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("api_key", "text")
    .addColumn("bytes", "bigint", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .addColumn("filename", "text", (column) => column.notNull())
    .addColumn("purpose", "text", (column) => column.notNull())
    .addColumn("mime_type", "text", (column) => column.notNull())
    .addColumn("file_lifetime", "bigint")
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("file_id", "text")
    .addColumn("part_count", "bigint", (column) => column.notNull())
    .addColumn("part_bytes", "bigint", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("uploads_by_status").on("uploads").columns(["status", "expires_at"]).execute();
  await db.schema.createIndex("uploads_by_key").on("uploads").columns(["api_key", "status"]).execute();
  await db.schema
    .createTable("upload_parts")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("upload_id", "text", (column) => column.notNull().references("uploads.id").onDelete("cascade"))
    .addColumn("bytes", "bigint", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("upload_parts_of").on("upload_parts").columns(["upload_id"]).execute();
  // Whoever looks for bytes that nothing names asks by key.
  await db.schema.createIndex("files_by_bytes").on("files").columns(["key"]).execute();
}

async function createWebhooks(db: Kysely<Schema>, { sequence }: MigrationDialect): Promise<void> {
  await db.schema
    .createTable("webhook_endpoints")
    .addColumn("seq", sequence.type, sequence.build)
    .addColumn("id", "text", (column) => column.notNull().unique())
    .addColumn("version", "integer", (column) => column.notNull())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("url", "text", (column) => column.notNull())
    .addColumn("event_types_json", "text", (column) => column.notNull())
    .addColumn("secret", "text", (column) => column.notNull())
    .addColumn("old_secret", "text")
    .addColumn("old_secret_until", "bigint")
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("updated_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("webhook_endpoints_by_age")
    .on("webhook_endpoints")
    .columns(["project", "created_at", "seq"])
    .execute();
  await db.schema
    .createTable("webhook_deliveries")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("endpoint_id", "text", (column) =>
      column.notNull().references("webhook_endpoints.id").onDelete("cascade"),
    )
    .addColumn("event_json", "text", (column) => column.notNull())
    .addColumn("attempts", "integer", (column) => column.notNull())
    .addColumn("due_at", "bigint", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("webhook_deliveries_due")
    .on("webhook_deliveries")
    .columns(["due_at", "endpoint_id", "id"])
    .execute();
  await db.schema
    .createIndex("webhook_deliveries_of")
    .on("webhook_deliveries")
    .columns(["endpoint_id"])
    .execute();
  await db.schema
    .createIndex("webhook_deliveries_by_age")
    .on("webhook_deliveries")
    .columns(["created_at"])
    .execute();
}

async function createIdempotencyKeys(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable("idempotency_keys")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("fingerprint", "text", (column) => column.notNull())
    .addColumn("answer_json", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("idempotency_keys_key", ["project", "key"])
    .execute();
  await db.schema
    .createIndex("idempotency_keys_by_age")
    .on("idempotency_keys")
    .columns(["created_at"])
    .execute();
}

/** Earlier metadata was JSON without newlines, in which a pair cannot be searched for. */
async function rewriteMetadata(db: Kysely<Schema>): Promise<void> {
  for (let after = 0; ; ) {
    const rows = await db
      .selectFrom("batches")
      .select(["seq", "metadata_json"])
      .where("metadata_json", "is not", null)
      .where("seq", ">", after)
      .orderBy("seq")
      .limit(1_000)
      .execute();
    for (const { seq, metadata_json } of rows) {
      const metadata: Record<string, string> = JSON.parse(metadata_json ?? "{}");
      await db
        .updateTable("batches")
        .set({ metadata_json: metadataText(metadata) })
        .where("seq", "=", seq)
        .execute();
    }
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}
