import type { Kysely } from "kysely";
import { type Quotas, quotaExceeded } from "../batch/api-key.ts";
import type { ApiKeyUsage } from "./api-key-records.ts";
import { unfinishedStatuses } from "./batch-row.ts";
import { linesToDo } from "./lines-to-do.ts";
import type { Schema } from "./schema.ts";

/**
 * Refuses what would take more than a key may use. Called in the transaction that adds it, so that of two requests
 * at the same time only as many are taken as fit.
 *
 * @throws NerifError `quota_exceeded`
 */
export async function checkUsage(
  db: Kysely<Schema>,
  quota: keyof ApiKeyUsage,
  { apiKey, quotas, more }: { apiKey: string | null; quotas: Quotas | undefined; more: number },
): Promise<void> {
  const most = quotas?.[quota] ?? null;
  if (apiKey === null || most === null || more === 0) return;
  const used = await counters[quota](db, apiKey);
  if (used + more > most) throw quotaExceeded(quota, { used, more, most });
}

export async function usageOf(db: Kysely<Schema>, apiKey: string): Promise<ApiKeyUsage> {
  return {
    stored_bytes: await storedBytes(db, apiKey),
    open_uploads: await openUploads(db, apiKey),
    queued_lines: await queuedLines(db, apiKey),
  };
}

const counters: Record<keyof ApiKeyUsage, (db: Kysely<Schema>, apiKey: string) => Promise<number>> = {
  stored_bytes: storedBytes,
  open_uploads: openUploads,
  queued_lines: queuedLines,
};

/** Deleted and expired files count until their bytes are gone. */
async function storedBytes(db: Kysely<Schema>, apiKey: string): Promise<number> {
  const files = await db
    .selectFrom("files")
    .select(({ fn }) => fn.sum("bytes").as("sum"))
    .where("api_key", "=", apiKey)
    .where("is_removed", "=", 0)
    .executeTakeFirst();
  const parts = await db
    .selectFrom("upload_parts")
    .innerJoin("uploads", "uploads.id", "upload_parts.upload_id")
    .select(({ fn }) => fn.sum("upload_parts.bytes").as("sum"))
    .where("uploads.api_key", "=", apiKey)
    .executeTakeFirst();
  return Number(files?.sum ?? 0) + Number(parts?.sum ?? 0);
}

async function openUploads(db: Kysely<Schema>, apiKey: string): Promise<number> {
  const row = await db
    .selectFrom("uploads")
    .select(({ fn }) => fn.countAll().as("count"))
    .where("api_key", "=", apiKey)
    .where("status", "=", "pending")
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** Lines that are not done yet. */
function queuedLines(db: Kysely<Schema>, apiKey: string): Promise<number> {
  return linesToDo(db, (eb) =>
    eb.and([eb("batches.api_key", "=", apiKey), eb("batches.status", "in", unfinishedStatuses)]),
  );
}
