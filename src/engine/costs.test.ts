import { DatabaseSync, StatementSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../test/support/scripted-upstream.ts";
import { limits } from "../batch/limits.ts";

test("a run spends at most six statements of the control store on a shard, and fewer than two commits", async () => {
  const shards = 12;
  const upstream = createScriptedUpstream(echo, { concurrency: 64 });
  // Time stands still, so that it has no say in how many shards are leased and noted together.
  const { addBatch, engine, get } = await createEngineFixture(upstream, { clock: createTestClock() });
  const statements = countStatements();
  const batch = await addBatch(requestLines(shards * limits.shardLines));
  await engine.start();
  while ((await get(batch.id)).status !== "completed") await new Promise(setImmediate);

  const ofRun = statements.filter((sql) => !isHeartbeat(sql) && !isLook(sql));
  expect(ofRun.length).toBeLessThanOrEqual(6 * shards);
  // Each is finished once, so they were counted indeed.
  const finished = ofRun.filter((sql) => sql.startsWith("update") && sql.includes('"segments_json" = '));
  expect(finished).toHaveLength(shards);
  // A commit is a sync for which the process stands still: a lease and an end of each, one by one, would be too many.
  expect(commitsIn(ofRun)).toBeLessThan(2 * shards);
});

/** Every statement that SQLite runs from now on, whoever asks for it. */
function countStatements(): string[] {
  const seen: string[] = [];
  for (const method of ["all", "run", "get"] as const) {
    watch(StatementSync.prototype, method, (statement) => seen.push(statement.sourceSQL));
  }
  watch(DatabaseSync.prototype, "exec", (_, [sql]) => seen.push(String(sql)));
  return seen;
}

function watch<T extends object>(
  prototype: T,
  method: keyof T,
  note: (on: T, values: unknown[]) => void,
): void {
  const original = prototype[method] as (...values: never[]) => unknown;
  const watched = function (this: T, ...values: unknown[]) {
    note(this, values);
    return Reflect.apply(original, this, values);
  };
  Object.defineProperty(prototype, method, { configurable: true, writable: true, value: watched });
  onTestFinished(() => {
    Object.defineProperty(prototype, method, { configurable: true, writable: true, value: original });
  });
}

/** Writes that stand alone, and transactions. */
function commitsIn(statements: string[]): number {
  let commits = 0;
  let inTransaction = false;
  for (const sql of statements) {
    const writes = /^(update|insert|delete)/.test(sql);
    if (sql === "begin immediate" || (writes && !inTransaction)) commits += 1;
    if (sql === "begin immediate") inTransaction = true;
    if (sql === "commit") inTransaction = false;
  }
  return commits;
}

function isHeartbeat(sql: string): boolean {
  return sql.startsWith('update "shards" set "leased_until" = ');
}

/** Looking for changes and at batches, here and in the test itself: five times a second, however many shards there are. */
function isLook(sql: string): boolean {
  if (["begin", "pragma data_version", "select total_changes() as writes"].includes(sql)) return true;
  return sql.startsWith("select") && !sql.includes('from "shards" where "batch_id" = ?');
}
