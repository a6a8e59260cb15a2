import { CompiledQuery, type Kysely, type LogEvent } from "kysely";
import { newId } from "../../src/batch/ids.ts";
import type { ControlStore } from "../../src/control/control-store.ts";
import type { Schema } from "../../src/control/schema.ts";
import { createSqlStore } from "../../src/control/sql-store.ts";
import { aBatch, anApiKey, aTally } from "./control-rows.ts";
import { fillHistory } from "./history.ts";

/** How a database finds what one statement asks for. */
export interface Plan {
  operation: string;
  sql: string;
  /** One line per step, in the database's own words. */
  steps: string[];
}

const now = 1_767_225_600;
const ended = 3_000;
const open = 300;
const linesPerBatch = 2_000;
const keys = 1_000;

/** Rows enough that looking at all of them is never the better way. */
export async function fillForPlans(db: Kysely<Schema>): Promise<void> {
  await fillHistory(db, { batches: ended, linesPerBatch, until: now });
  const inProgress = { status: "in_progress", completed_at: null, finalizing_at: null } as const;
  const batchOf = () => ({ ...inProgress, output_file_id: null, error_file_id: null });
  await fillHistory(db, { batches: open, linesPerBatch, until: now + 10 * open, batchOf });
  await db.transaction().execute(async (transaction) => {
    for (let nth = 0; nth < keys; nth += 1) {
      const { quotas, ...key } = anApiKey();
      const row = { ...key, quotas_json: JSON.stringify(quotas) };
      await transaction.insertInto("api_keys").values(row).execute();
    }
  });
}

/**
 * The plans of all statements that requests cause, and of those that an executor asks again and again.
 * @param connect opens a connection to the filled database
 * @param explain the statement that asks for the plan of another
 */
export async function hotPlans(
  connect: (log?: (event: LogEvent) => void) => Kysely<Schema>,
  explain: (sql: string) => string,
): Promise<Plan[]> {
  const statements: CompiledQuery[] = [];
  const logged = connect(({ query }) => {
    // PostgreSQL's driver says `start transaction` and `commit` in the same way.
    if (/^\s*(select|insert|update|delete|with) /.test(query.sql)) statements.push(query);
  });
  const db = connect();
  const store = createSqlStore({
    run: (_action, work) => work(logged),
    skipLocked: (query) => query,
    keepAsRead: (query) => query,
    leaseClock: () => 1_000_000,
    changeCounter: async () => 0,
    close: async () => {},
  });
  const plans: Plan[] = [];
  try {
    for (const [operation, work] of Object.entries(await operations(store))) {
      statements.length = 0;
      await work();
      for (const { sql, parameters } of statements) {
        const explained = CompiledQuery.raw(explain(sql), [...parameters]);
        const { rows } = await db.executeQuery<Record<string, unknown>>(explained);
        plans.push({ operation, sql, steps: rows.map((row) => String(row.detail ?? row["QUERY PLAN"])) });
      }
    }
  } finally {
    await logged.destroy();
    await db.destroy();
  }
  return plans;
}

async function operations(store: ControlStore): Promise<Record<string, () => Promise<unknown>>> {
  const project = "default";
  const [running] = await store.listBatches({ project, limit: 1, status: "in_progress" });
  const [done] = await store.listBatches({ project, limit: 1, status: "completed" });
  const [file] = await store.listFiles({ project, now, limit: 1, order: "asc" });
  if (running === undefined || done === undefined || file === undefined) throw new Error("Nothing is there");
  const lease = { batchId: running.id, shard: 0, epoch: 1 };
  const route = { endpoint: "/v1/chat/completions", model: "m" };
  const batches = { project, limit: 21 };
  const files = { project, now, limit: 101, order: "desc" } as const;
  const metadata = { team: "team-1" };
  return {
    "create a batch": () =>
      store.insertBatch(aBatch({ input_file_id: file.id, metadata: { team: "team-1", run: "new" } })),
    "retrieve a batch that runs": () => store.getBatch(project, running.id),
    "retrieve a batch that has ended": () => store.getBatch(project, done.id),
    "list batches": () => store.listBatches(batches),
    "list batches after one": () => store.listBatches({ ...batches, after: done.id }),
    "list batches of a status": () => store.listBatches({ ...batches, status: "completed", after: done.id }),
    "list batches of a status that none has": () => store.listBatches({ ...batches, status: "expired" }),
    "list batches of a time": () =>
      store.listBatches({ ...batches, created_after: now - 900, created_before: now - 300 }),
    "list batches with metadata": () => store.listBatches({ ...batches, metadata }),
    "list batches with rare metadata": () =>
      store.listBatches({ ...batches, metadata: { ...metadata, run: "run-21" }, after: done.id }),
    "list batches of all projects": () => store.listBatches({ project: null, limit: 100, after: done.id }),
    "list files": () => store.listFiles(files),
    "list files after one": () => store.listFiles({ ...files, after: file.id }),
    "list files from the oldest": () => store.listFiles({ ...files, order: "asc" }),
    "list files of a purpose that none has": () => store.listFiles({ ...files, purpose: "user_data" }),
    "retrieve a file": () => store.getFile(project, file.id),
    "delete a file": () => store.deleteFile(project, running.input_file_id),
    "admit a request": () => store.findApiKey("none"),
    "find an answer": () => store.getAnswer(project, "none", now),
    "look for unfinished batches": () => store.unfinishedBatches(1_000),
    "look for batches that end": () => store.endingBatches(now - 90_000),
    "see whether a file is in use": () => store.isInputInUse(done.input_file_id),
    "look for removable files": () => store.removableFiles(now, 500),
    "look for bytes that are named": () => store.namedKeys([file.id, newId("part")]),
    "note metadata": () => store.noteMetadata(10),
    "look for routes": () => store.openRoutes(running.id),
    "lease a shard": () =>
      store.leaseShards({ ...route, batchId: running.id, holder: "h", limit: 1, leaseMs: 1_000 }),
    "renew leases": () =>
      Promise.all([lease, { ...lease, shard: 1 }].map((each) => store.renewLease(each, 1_000, aTally(1)))),
    "look for news of batches": () => store.heldBatches([running]),
    "finish a shard": () => store.finishShard(lease, [], aTally(512)),
    "read shards in order": () => store.shardsInOrder(done.id, -1, 100),
    "update a batch": () => store.updateBatch(done.id, done.version, { api_key: null }),
  };
}
