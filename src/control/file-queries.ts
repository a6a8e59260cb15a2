import type { ExpressionBuilder, Kysely } from "kysely";
import type { Quotas } from "../batch/api-key.ts";
import { NerifError } from "../batch/errors.ts";
import type { StoredFile } from "../batch/file.ts";
import { checkUsage } from "./api-key-usage.ts";
import { unfinishedStatuses } from "./batch-row.ts";
import type { ControlStore, FileQuery } from "./control-store.ts";
import { findCursor } from "./cursor.ts";
import { insertWithAnswer } from "./idempotency-queries.ts";
import type { FileRow, Schema } from "./schema.ts";
import type { SqlDatabase } from "./sql-database.ts";

type FileQueries = Pick<
  ControlStore,
  "insertFile" | "getFile" | "listFiles" | "deleteFile" | "removableFiles" | "markBytesRemoved" | "namedKeys"
>;

export function createFileQueries({ run }: SqlDatabase): FileQueries {
  return {
    insertFile: (file, { quotas, answer } = {}) =>
      run(
        "record the file",
        (db) => insertWithAnswer(db, answer, (transaction) => insertOwnFile(transaction, file, quotas)),
        { earlier: async (db) => ((await isRecorded(db, file)) ? undefined : null) },
      ),

    getFile: (project, id) =>
      run("look up the file", async (db) => {
        let query = db.selectFrom("files").selectAll().where("id", "=", id).where("is_deleted", "=", 0);
        if (project !== null) query = query.where("project", "=", project);
        const row = await query.executeTakeFirst();
        return row === undefined ? null : fileOf(row);
      }),

    listFiles: (query) => run("list the files", (db) => listFiles(db, query)),

    deleteFile: (project, id) =>
      // A transaction, though it is one statement: a batch of this file may be recorded at this moment.
      run("delete the file", (db) =>
        db.transaction().execute(async (transaction) => {
          const result = await transaction
            .updateTable("files")
            .set({ is_deleted: 1 })
            .where("id", "=", id)
            .where("project", "=", project)
            .where("is_deleted", "=", 0)
            .where(isNoInput)
            .executeTakeFirst();
          return result.numUpdatedRows > 0n;
        }),
      ),

    removableFiles: (now, limit) =>
      run("look for removable files", async (db) => {
        const rows = await db
          .selectFrom("files")
          .selectAll()
          .where("is_removed", "=", 0)
          // So that both are ranges of one index: of most files nothing is to be removed.
          .where((eb) =>
            eb.or([
              eb("is_deleted", "=", 1),
              eb.and([eb("is_deleted", "=", 0), eb("expires_at", "<=", now)]),
            ]),
          )
          .where(isNoInput)
          .limit(limit)
          .execute();
        return rows.map(fileOf);
      }),

    markBytesRemoved: (id) =>
      run("note a removed file", async (db) => {
        await db.updateTable("files").set({ is_removed: 1 }).where("id", "=", id).execute();
      }),

    namedKeys: (keys) =>
      run("look for the names of files", async (db) => {
        if (keys.length === 0) return [];
        const files = db
          .selectFrom("files")
          .select("key")
          .where("key", "in", keys)
          .where("is_removed", "=", 0);
        const parts = db.selectFrom("upload_parts").select("id as key").where("id", "in", keys);
        return (await files.union(parts).execute()).map((row) => row.key);
      }),
  };
}

/** No batch that is not final reads it. */
function isNoInput(eb: ExpressionBuilder<Schema, "files">) {
  return eb.not(
    eb.exists(
      eb
        .selectFrom("batches")
        .select("batches.id")
        .whereRef("batches.input_file_id", "=", "files.id")
        .where("batches.status", "in", unfinishedStatuses),
    ),
  );
}

/** Inserts a file for which its key has to have room. @throws NerifError `file_exists`, `quota_exceeded` */
export async function insertOwnFile(
  db: Kysely<Schema>,
  file: StoredFile,
  quotas: Quotas | undefined,
): Promise<void> {
  await checkUsage(db, "stored_bytes", { apiKey: file.api_key, quotas, more: file.bytes });
  await insertFile(db, file);
}

/** @throws NerifError `file_exists` */
export async function insertFile(db: Kysely<Schema>, file: StoredFile): Promise<void> {
  const { id, project, bytes, created_at, expires_at, filename, purpose, sha256, key, api_key, lines } = file;
  const result = await db
    .insertInto("files")
    .values({
      ...{ id, project, bytes, created_at, expires_at, filename },
      ...{ purpose, sha256, key, api_key, lines },
    })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .executeTakeFirst();
  if (result.numInsertedOrUpdatedRows === 0n) {
    throw new NerifError("file_exists", `Cannot record the file ${id}: there is one with this id`, {
      param: "id",
    });
  }
}

/** Whether this very file is recorded: its id may be one that a user gave it, and another had before. */
export async function isRecorded(
  db: Kysely<Schema>,
  { id, sha256, created_at }: StoredFile,
): Promise<boolean> {
  const query = db
    .selectFrom("files")
    .select("seq")
    .where("id", "=", id)
    .where("created_at", "=", created_at);
  return (await query.where("sha256", "=", sha256).executeTakeFirst()) !== undefined;
}

async function listFiles(db: Kysely<Schema>, query: FileQuery): Promise<StoredFile[]> {
  const { project, now, limit, order, purpose, after } = query;
  let rows = db
    .selectFrom("files")
    .selectAll()
    .where("project", "=", project)
    .where("is_deleted", "=", 0)
    // None of them is shown anyway, but so the index leaves them out.
    .where("is_removed", "=", 0)
    .where((eb) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", now)]));
  if (purpose !== undefined) rows = rows.where("purpose", "=", purpose);
  if (after !== undefined) {
    const cursor = await findCursor(db, "file", { project, after });
    rows = rows.where((eb) =>
      eb(
        eb.refTuple("created_at", "seq"),
        order === "asc" ? ">" : "<",
        eb.tuple(cursor.created_at, cursor.seq),
      ),
    );
  }
  const page = await rows.orderBy("created_at", order).orderBy("seq", order).limit(limit).execute();
  return page.map(fileOf);
}

function fileOf(row: FileRow): StoredFile {
  const { seq: _s, is_deleted: _d, is_removed: _r, ...file } = row;
  return file;
}
