import type { Kysely } from "kysely";
import type { Batch } from "../../src/batch/batch.ts";
import { newBatchId, newFileId } from "../../src/batch/ids.ts";
import { insertPairs } from "../../src/control/batch-pairs.ts";
import { newBatchRow } from "../../src/control/batch-row.ts";
import type { Schema } from "../../src/control/schema.ts";
import { aBatch, aFile, aTally, someShards } from "./control-rows.ts";

export interface History {
  batches: number;
  linesPerBatch: number;
  /** Unix time of the last batch; each is 10 s younger than the one before it. */
  until: number;
  /** What the next batch is like. Default: completed, the one in 20 with failed lines. */
  batchOf?: (nth: number) => Partial<Batch>;
}

const perInsert = 20;
const perTransaction = 500;
const shardLines = 512;

/**
 * Rows as a store has them after so many batches: for each its input and result files, its shards, which stay, and the
 * batch itself, with metadata.
 */
export async function fillHistory(db: Kysely<Schema>, history: History): Promise<void> {
  for (let from = 0; from < history.batches; from += perTransaction) {
    const to = Math.min(from + perTransaction, history.batches);
    await db.transaction().execute(async (transaction) => {
      for (let at = from; at < to; at += perInsert) {
        await insertBatches(transaction, history, { from: at, to: Math.min(at + perInsert, to) });
      }
    });
  }
}

async function insertBatches(
  db: Kysely<Schema>,
  history: History,
  { from, to }: { from: number; to: number },
): Promise<void> {
  const batches = Array.from({ length: to - from }, (_, index) => nthBatch(history, from + index));
  await db.insertInto("files").values(batches.flatMap(filesOf)).execute();
  const rows = db.insertInto("batches").values(batches.map(newBatchRow)).returningAll();
  await insertPairs(db, await rows.execute());
  const shards = batches.flatMap((batch) => shardsOf(batch, history.linesPerBatch));
  for (let at = 0; at < shards.length; at += 50) {
    await db
      .insertInto("shards")
      .values(shards.slice(at, at + 50))
      .execute();
  }
}

function nthBatch({ batches, linesPerBatch, until, batchOf }: History, nth: number): Batch {
  const created_at = until - 10 * (batches - nth);
  const failed = nth % 20 === 0 ? 1 : 0;
  const { completed } = aTally(linesPerBatch - failed, failed);
  return aBatch({
    id: newBatchId(created_at),
    status: "completed",
    created_at,
    in_progress_at: created_at + 1,
    finalizing_at: created_at + 8,
    completed_at: created_at + 9,
    expires_at: created_at + 86_400,
    output_file_id: newFileId(),
    error_file_id: failed === 0 ? null : newFileId(),
    request_counts: { total: linesPerBatch, completed, failed },
    metadata: {
      team: `team-${nth % 20}`,
      run: `run-${nth}`,
      description: "a nightly evaluation of the model",
    },
    ...batchOf?.(nth),
  });
}

function filesOf({ input_file_id, output_file_id, error_file_id, created_at, request_counts }: Batch) {
  const file = (id: string | null, purpose: string) =>
    id === null ? [] : [aFile({ id, key: id, purpose, created_at, lines: request_counts.total })];
  return [
    ...file(input_file_id, "batch"),
    ...file(output_file_id, "batch_output"),
    ...file(error_file_id, "batch_output"),
  ];
}

function shardsOf({ id, status }: Batch, lines: number) {
  return someShards(0, Math.ceil(lines / shardLines)).map(({ firstLine, planOffset, ...shard }) => ({
    ...shard,
    batch_id: id,
    first_line: firstLine,
    plan_offset: planOffset,
    state: status === "completed" ? ("done" as const) : ("open" as const),
    completed: status === "completed" ? shard.lines : 0,
  }));
}
