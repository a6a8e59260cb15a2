import type { ExpressionBuilder } from "kysely";
import type { StoredFile } from "../batch/file.ts";
import { checkUsage } from "./api-key-usage.ts";
import { ifRecorded } from "./earlier.ts";
import { insertFile, isRecorded } from "./file-queries.ts";
import { insertWithAnswer } from "./idempotency-queries.ts";
import type { Schema } from "./schema.ts";
import type { SqlDatabase } from "./sql-database.ts";
import type { UploadRecords } from "./upload-records.ts";

export function createUploadQueries({ run }: SqlDatabase): UploadRecords {
  return {
    insertUpload: (upload, { quotas, answer } = {}) =>
      run(
        "record the upload",
        (db) =>
          insertWithAnswer(db, answer, async (transaction) => {
            const { api_key: apiKey, created_at: now } = upload;
            // Before they are counted: the sweeper comes by only now and then.
            await transaction
              .updateTable("uploads")
              .set({ status: "expired" })
              .where("api_key", "=", apiKey)
              .where("status", "=", "pending")
              .where("expires_at", "<=", now)
              .execute();
            await checkUsage(transaction, "open_uploads", { apiKey, quotas, more: 1 });
            await transaction.insertInto("uploads").values(upload).execute();
          }),
        { earlier: ifRecorded({ table: "uploads", id: upload.id }, undefined) },
      ),

    getUpload: (project, id) =>
      run("look up the upload", async (db) => {
        const query = db.selectFrom("uploads").selectAll().where("id", "=", id);
        return (await query.where("project", "=", project).executeTakeFirst()) ?? null;
      }),

    insertPart: (part, room) =>
      run(
        "record the part",
        (db) =>
          db.transaction().execute(async (transaction) => {
            const result = await transaction
              .updateTable("uploads")
              .set((eb) => ({
                part_count: eb("part_count", "+", 1),
                part_bytes: eb("part_bytes", "+", part.bytes),
              }))
              .where("id", "=", part.upload_id)
              .where(isOpen(room.now))
              .where("part_count", "<", room.parts)
              .where("part_bytes", "<=", room.bytes - part.bytes)
              .executeTakeFirst();
            if (result.numUpdatedRows === 0n) return false;
            const { api_key: apiKey } = await transaction
              .selectFrom("uploads")
              .select("api_key")
              .where("id", "=", part.upload_id)
              .executeTakeFirstOrThrow();
            await checkUsage(transaction, "stored_bytes", { apiKey, quotas: room.quotas, more: part.bytes });
            await transaction.insertInto("upload_parts").values(part).execute();
            return true;
          }),
        { earlier: ifRecorded({ table: "upload_parts", id: part.id }, true) },
      ),

    uploadParts: (uploadId) =>
      run("look up the parts", (db) =>
        db.selectFrom("upload_parts").selectAll().where("upload_id", "=", uploadId).execute(),
      ),

    completeUpload: (id, file, now) => completeUpload({ run }, { id, file, now }),

    cancelUpload: (id, now) =>
      run("cancel the upload", async (db) => {
        const query = db.updateTable("uploads").set({ status: "cancelled" }).where("id", "=", id);
        return (await query.where(isOpen(now)).executeTakeFirst()).numUpdatedRows > 0n;
      }),

    expireUpload: (id, now) =>
      run("let the upload expire", async (db) => {
        const query = db.updateTable("uploads").set({ status: "expired" }).where("id", "=", id);
        await query.where("status", "=", "pending").where("expires_at", "<=", now).execute();
      }),

    endedUploads: (now, limit) =>
      run("look for ended uploads", async (db) => {
        const rows = await db
          .selectFrom("uploads")
          .select("id")
          .where((eb) => eb.not(isOpen(now)(eb)))
          .where((eb) =>
            eb.exists(
              eb
                .selectFrom("upload_parts")
                .select("upload_parts.id")
                .whereRef("upload_parts.upload_id", "=", "uploads.id"),
            ),
          )
          .limit(limit)
          .execute();
        return rows.map((row) => row.id);
      }),

    deleteParts: (uploadId) =>
      run("forget the parts", async (db) => {
        await db.deleteFrom("upload_parts").where("upload_id", "=", uploadId).execute();
      }),

    deleteUploads: (before) =>
      run("forget old uploads", async (db) => {
        await db
          .deleteFrom("uploads")
          .where("expires_at", "<", before)
          .where("id", "not in", db.selectFrom("upload_parts").select("upload_id"))
          .execute();
      }),
  };
}

function completeUpload(
  { run }: Pick<SqlDatabase, "run">,
  { id, file, now }: { id: string; file: StoredFile; now: number },
): Promise<boolean> {
  return run(
    "complete the upload",
    (db) =>
      db.transaction().execute(async (transaction) => {
        const result = await transaction
          .updateTable("uploads")
          .set({ status: "completed", file_id: file.id })
          .where("id", "=", id)
          .where(isOpen(now))
          .executeTakeFirst();
        if (result.numUpdatedRows === 0n) return false;
        await insertFile(transaction, file);
        return true;
      }),
    { earlier: async (db) => ((await isRecorded(db, file)) ? true : null) },
  );
}

function isOpen(now: number) {
  return (eb: ExpressionBuilder<Schema, "uploads">) =>
    eb.and([eb("status", "=", "pending"), eb("expires_at", ">", now)]);
}
