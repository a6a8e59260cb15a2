import type { Kysely } from "kysely";
import type { Batch } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { isFinal } from "../batch/lifecycle.ts";
import { noTokens } from "../batch/usage.ts";
import { checkUsage } from "./api-key-usage.ts";
import { batchPage } from "./batch-list.ts";
import { insertPairs } from "./batch-pairs.ts";
import { batchOf, changedColumns, newBatchRow, unfinishedBatchOf, unfinishedStatuses } from "./batch-row.ts";
import type { ControlStore, ShardTally } from "./control-store.ts";
import { ifRecorded } from "./earlier.ts";
import { insertFile, insertOwnFile } from "./file-queries.ts";
import { insertWithAnswer } from "./idempotency-queries.ts";
import type { BatchRow, Schema } from "./schema.ts";
import { type SqlDatabase, snapshot } from "./sql-database.ts";
import { insertDeliveries } from "./webhook-queries.ts";

type BatchQueries = Pick<
  ControlStore,
  | "insertBatch"
  | "getBatch"
  | "listBatches"
  | "unfinishedBatches"
  | "endingBatches"
  | "isInputInUse"
  | "updateBatch"
  | "deleteBatch"
>;

export function createBatchQueries({ run }: SqlDatabase): BatchQueries {
  return {
    insertBatch: (batch, { quotas, answer, input: newInput } = {}) =>
      run(
        "record the batch",
        (db) =>
          insertWithAnswer(db, answer, async (transaction) => {
            if (newInput !== undefined) await insertOwnFile(transaction, newInput, quotas);
            const input = await transaction
              .selectFrom("files")
              .select(["is_deleted", "lines"])
              .where("id", "=", batch.input_file_id)
              .executeTakeFirst();
            if (input?.is_deleted === 1) {
              throw new NerifError("input_file_gone", `Cannot record ${batch.id}: its input was deleted`, {
                param: "input_file_id",
              });
            }
            const more = input?.lines ?? 0;
            await checkUsage(transaction, "queued_lines", { apiKey: batch.api_key, quotas, more });
            const row = newBatchRow(batch);
            const inserted = transaction.insertInto("batches").values(row).returningAll();
            await insertPairs(transaction, [await inserted.executeTakeFirstOrThrow()]);
          }),
        { earlier: ifRecorded({ table: "batches", id: batch.id }, undefined) },
      ),

    getBatch: (project, id) =>
      run("look up the batch", (db) =>
        snapshot(db, async (transaction) => {
          let query = transaction.selectFrom("batches").selectAll().where("id", "=", id);
          if (project !== null) query = query.where("project", "=", project);
          const [batch] = await withSums(transaction, await query.execute());
          return batch ?? null;
        }),
      ),

    listBatches: (query) =>
      run("list the batches", (db) =>
        snapshot(db, async (transaction) => withSums(transaction, await batchPage(transaction, query))),
      ),

    unfinishedBatches: (limit) =>
      run("look for unfinished batches", async (db) => {
        const rows = unfinished(db)
          .orderBy("expires_at", (order) => order.asc().nullsLast())
          .orderBy("created_at")
          .orderBy("seq");
        return (await (limit === undefined ? rows : rows.limit(limit)).execute()).map(unfinishedBatchOf);
      }),

    endingBatches: (now) =>
      run("look for batches that end", async (db) => {
        const rows = unfinished(db).where((eb) =>
          eb.or([eb("status", "=", "cancelling"), eb("ending", "is not", null), eb("expires_at", "<=", now)]),
        );
        return (await rows.execute()).map(unfinishedBatchOf);
      }),

    isInputInUse: (fileId) =>
      run("look whether the file is in use", async (db) => {
        const row = await db
          .selectFrom("batches")
          .select("id")
          .where("input_file_id", "=", fileId)
          .where("status", "in", unfinishedStatuses)
          .limit(1)
          .executeTakeFirst();
        return row !== undefined;
      }),

    updateBatch: (id, version, patch, { files = [], event = null } = {}) =>
      run("update the batch", (db) =>
        db.transaction().execute(async (transaction) => {
          const rows = await transaction
            .updateTable("batches")
            .set({ ...changedColumns(patch), version: version + 1 })
            .where("id", "=", id)
            .where("version", "=", version)
            .returningAll()
            .execute();
          const [row] = rows;
          if (row === undefined) return null;
          for (const file of files) await insertFile(transaction, file);
          if (event !== null) await insertDeliveries(transaction, { project: row.project, event });
          const [batch] = await withSums(transaction, rows);
          return batch ?? null;
        }),
      ),

    deleteBatch: (id) =>
      run("delete the batch", async (db) => {
        // Its shards go with it: the schema says so.
        await db.deleteFrom("batches").where("id", "=", id).execute();
      }),
  };
}

/** Without what users have written, which is most of a batch. */
function unfinished(db: Kysely<Schema>) {
  return db
    .selectFrom("batches")
    .select(["id", "project", "status", "ending", "expires_at", "result_files_json"])
    .where("status", "in", unfinishedStatuses);
}

/** Batches with the counts of the moment; the shards of those that are not final are added up in one query. */
async function withSums(db: Kysely<Schema>, rows: BatchRow[]): Promise<Batch[]> {
  const running = rows.filter((row) => !isFinal(row.status)).map((row) => row.id);
  const sums = running.length === 0 ? new Map() : await sumShards(db, running);
  return rows.map((row) => batchOf(row, sums.get(row.id) ?? noSums()));
}

async function sumShards(db: Kysely<Schema>, batchIds: string[]): Promise<Map<string, ShardTally>> {
  const rows = await db
    .selectFrom("shards")
    .select("batch_id")
    .select(({ fn }) => [
      fn.sum("completed").as("completed"),
      fn.sum("failed").as("failed"),
      fn.sum("input_tokens").as("input"),
      fn.sum("cached_tokens").as("cached"),
      fn.sum("output_tokens").as("output"),
      fn.sum("reasoning_tokens").as("reasoning"),
      fn.sum("total_tokens").as("total"),
    ])
    .where("batch_id", "in", batchIds)
    .groupBy("batch_id")
    .execute();
  return new Map(
    rows.map(({ batch_id, completed, failed, input, cached, output, reasoning, total }) => [
      batch_id,
      {
        completed: Number(completed),
        failed: Number(failed),
        tokens: {
          input: Number(input),
          cached: Number(cached),
          output: Number(output),
          reasoning: Number(reasoning),
          total: Number(total),
        },
      },
    ]),
  );
}

function noSums(): ShardTally {
  return { completed: 0, failed: 0, tokens: noTokens() };
}
