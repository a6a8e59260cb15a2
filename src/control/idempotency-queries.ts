import type { Kysely, Transaction } from "kysely";
import { NerifError } from "../batch/errors.ts";
import { limits } from "../batch/limits.ts";
import type { IdempotencyRecords, StoredAnswer } from "./idempotency-records.ts";
import type { Schema } from "./schema.ts";
import type { SqlDatabase } from "./sql-database.ts";

const { lifetime } = limits.idempotencyKey;

export function createIdempotencyQueries({ run }: SqlDatabase): IdempotencyRecords {
  return {
    getAnswer: (project, key, now) =>
      run("look for an earlier answer", async (db) => {
        const row = await db
          .selectFrom("idempotency_keys")
          .selectAll()
          .where("project", "=", project)
          .where("key", "=", key)
          .where("created_at", ">", now - lifetime)
          .executeTakeFirst();
        return row ?? null;
      }),

    removeOldAnswers: (now) =>
      run("remove old answers", async (db) => {
        await db
          .deleteFrom("idempotency_keys")
          .where("created_at", "<=", now - lifetime)
          .execute();
      }),
  };
}

/**
 * Runs `insert` in a transaction that also records its answer, if there is one to record: a crash leaves both or
 * neither, and of two that use one key at once the second changes nothing.
 *
 * @throws NerifError `idempotency_key_reused` when the key has an answer already, whatever was asked for
 */
export function insertWithAnswer(
  db: Kysely<Schema>,
  answer: StoredAnswer | undefined,
  insert: (transaction: Transaction<Schema>) => Promise<void>,
): Promise<void> {
  return db.transaction().execute(async (transaction) => {
    if (answer !== undefined) await insertAnswer(transaction, answer);
    await insert(transaction);
  });
}

async function insertAnswer(transaction: Transaction<Schema>, answer: StoredAnswer): Promise<void> {
  await transaction
    .deleteFrom("idempotency_keys")
    .where("project", "=", answer.project)
    .where("key", "=", answer.key)
    .where("created_at", "<=", answer.created_at - lifetime)
    .execute();
  const result = await transaction
    .insertInto("idempotency_keys")
    .values({ ...answer })
    .onConflict((conflict) => conflict.columns(["project", "key"]).doNothing())
    .executeTakeFirst();
  if (result.numInsertedOrUpdatedRows === 0n) {
    throw new NerifError("idempotency_key_reused", "Cannot record the answer: its key has one already");
  }
}
