import { type ExpressionBuilder, type Kysely, sql, type Transaction } from "kysely";
import type {
  ControlStore,
  LeaseRequest,
  NewShard,
  NotedSegment,
  Shard,
  ShardLease,
  ShardTally,
} from "./control-store.ts";
import { type Renewal, renewLeases } from "./renew-leases.ts";
import type { Schema, ShardRow } from "./schema.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { together } from "./together.ts";

type ShardQueries = Pick<
  ControlStore,
  | "insertShards"
  | "deleteShards"
  | "shardsInOrder"
  | "openRoutes"
  | "leaseShards"
  | "renewLease"
  | "noteSegments"
  | "releaseShard"
  | "finishShard"
  | "reopenShard"
  | "revokeLeases"
>;

/** Literal, not a parameter: only so does SQLite see that the index of shards that are not done will do. */
const notDone = sql<boolean>`state <> 'done'`;

const noHolder = { holder: null, leased_until: null };

export function createShardQueries(database: SqlDatabase): ShardQueries {
  const { run } = database;
  const finish = together((items: FinishedShard[]) => run("finish shards", (db) => finishShards(db, items)));
  const renew = together((renewals: Renewal[]) => run("renew leases", (db) => renewLeases(db, renewals)));

  return {
    insertShards: (batchId, shards, { version } = {}) =>
      run("record the shards", (db) =>
        db.transaction().execute(async (transaction) => {
          if (!(await hasVersion(transaction, batchId, version))) return false;
          for (let from = 0; from < shards.length; from += rowsPerInsert) {
            await insertRows(transaction, batchId, shards.slice(from, from + rowsPerInsert));
          }
          return true;
        }),
      ),

    deleteShards: (batchId, { version } = {}) =>
      run("remove the shards", (db) =>
        db.transaction().execute(async (transaction) => {
          if (!(await hasVersion(transaction, batchId, version))) return false;
          await transaction.deleteFrom("shards").where("batch_id", "=", batchId).execute();
          return true;
        }),
      ),

    shardsInOrder: (batchId, after, limit) =>
      run("read the shards", async (db) => {
        const rows = await db
          .selectFrom("shards")
          .selectAll()
          .where("batch_id", "=", batchId)
          .where("first_line", ">", after)
          .orderBy("first_line")
          .limit(limit)
          .execute();
        return rows.map(shardOf);
      }),

    openRoutes: (batchId) =>
      run("look for open routes", async (db) => {
        const rows = await db
          .selectFrom("shards")
          .select(({ fn }) => ["endpoint", "model", fn.countAll().as("shards")])
          .where("batch_id", "=", batchId)
          .where(notDone)
          .groupBy(["endpoint", "model"])
          .execute();
        return rows.map(({ endpoint, model, shards }) => ({ endpoint, model, shards: Number(shards) }));
      }),

    leaseShards: (request) => leaseShards(database, request),

    renewLease: async (lease, leaseMs, tally) =>
      (await renew({ lease, until: Math.round(database.leaseClock() + leaseMs), tally })) === true,

    noteSegments: (lease, segments) =>
      run("note the segments of a shard", (db) =>
        changeHeld(db, lease, { segments_json: JSON.stringify(segments) }),
      ),

    releaseShard: (lease, segments, tally) =>
      run("hand back a shard", (db) =>
        changeHeld(db, lease, {
          state: "open",
          ...noHolder,
          segments_json: JSON.stringify(segments),
          ...tallyColumns(tally),
        }),
      ),

    finishShard: async (lease, segments, tally) => (await finish({ lease, segments, tally })) === true,

    reopenShard: (batchId, shard) =>
      run("reopen a shard", async (db) => {
        await db
          .updateTable("shards")
          .set({ state: "open" })
          .where("batch_id", "=", batchId)
          .where("shard", "=", shard)
          .where("state", "=", "done")
          .execute();
      }),

    revokeLeases: () =>
      run("revoke the leases", async (db) => {
        await db
          .updateTable("shards")
          .set({ state: "open", ...noHolder })
          .where(notDone)
          .where("state", "=", "leased")
          .execute();
      }),
  };
}

/** The row is locked until the transaction ends, where a database has more than one writer. */
async function hasVersion(
  transaction: Transaction<Schema>,
  batchId: string,
  version: number | undefined,
): Promise<boolean> {
  if (version === undefined) return true;
  const touched = await transaction
    .updateTable("batches")
    .set({ version })
    .where("id", "=", batchId)
    .where("version", "=", version)
    .executeTakeFirst();
  return touched.numUpdatedRows > 0n;
}

/** A few large statements in place of one huge one: SQLite and PostgreSQL limit the parameters of a statement. */
const rowsPerInsert = 100;

async function insertRows(db: Kysely<Schema>, batchId: string, shards: NewShard[]): Promise<void> {
  await db
    .insertInto("shards")
    .values(
      shards.map(({ shard, endpoint, model, firstLine, lines, planOffset }) => ({
        batch_id: batchId,
        shard,
        endpoint,
        model,
        first_line: firstLine,
        lines,
        plan_offset: planOffset,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(["batch_id", "shard"]).doUpdateSet((eb) => ({
        endpoint: eb.ref("excluded.endpoint"),
        model: eb.ref("excluded.model"),
        first_line: eb.ref("excluded.first_line"),
        lines: eb.ref("excluded.lines"),
        plan_offset: eb.ref("excluded.plan_offset"),
        state: "open" as const,
        ...noHolder,
        // The epoch stays: a holder of the old shard must find its lease void also when the new one is leased.
        segments_json: "[]",
        ...noTally,
      })),
    )
    .execute();
}

function leaseShards(database: SqlDatabase, request: LeaseRequest): Promise<Shard[]> {
  /** By the time of each try: one that had to wait long for the database shall not get half a lease. */
  const tried: number[] = [];
  function lease(db: Kysely<Schema>): Promise<Shard[]> {
    const now = Math.floor(database.leaseClock());
    const until = now + Math.round(request.leaseMs);
    tried.push(until);
    return leaseFree(db, { database, request, now, until });
  }
  // Leased again it would be other shards, and nobody would know of the first ones.
  return database.run("lease shards", lease, { earlier: (db) => leasedUntil(db, request, tried) });
}

async function leaseFree(
  db: Kysely<Schema>,
  {
    database,
    request,
    now,
    until,
  }: { database: SqlDatabase; request: LeaseRequest; now: number; until: number },
): Promise<Shard[]> {
  const { batchId, version, holder, limit } = request;
  const ofVersion = db
    .selectFrom("batches")
    .select("id")
    .where("id", "=", batchId)
    .where("version", "=", version ?? -1);
  let free = db
    .selectFrom("shards")
    .select("shard")
    .where("batch_id", "=", batchId)
    .where(notDone)
    .where(isAskedFor(request));
  if (version !== undefined) {
    free = free.where(sql<boolean>`exists (select 1 from of_version)`);
  }
  free = free
    .where((eb) =>
      eb.or([eb("state", "=", "open"), eb.and([eb("leased_until", "<=", now), eb("holder", "!=", holder)])]),
    )
    .orderBy("shard")
    .limit(limit);
  // Named first: PostgreSQL may run a mere subquery more than once, and each time it would pass over what it has just
  // locked, and take more.
  const rows = await db
    .with("of_version", () => database.keepAsRead(ofVersion))
    .with("free", () => database.skipLocked(free))
    .updateTable("shards")
    .set((eb) => ({
      state: "leased",
      holder,
      leased_until: until,
      epoch: eb("epoch", "+", 1),
    }))
    .where("batch_id", "=", batchId)
    .where("shard", "in", (eb) => eb.selectFrom("free").select("free.shard"))
    .returningAll()
    .execute();
  return rows.map(shardOf).sort((a, b) => a.shard - b.shard);
}

/** Shards of one route, or one shard. */
function isAskedFor({ endpoint, model, shard }: LeaseRequest) {
  return (eb: ExpressionBuilder<Schema, "shards">) =>
    shard === undefined
      ? eb.and([
          eb("endpoint", endpoint === null ? "is" : "=", endpoint),
          eb("model", model === null ? "is" : "=", model),
        ])
      : eb("shard", "=", shard);
}

/**
 * What this holder has leased to the very millisecond, which tells one request of it from the others for the same
 * route; those for its other routes may come in that millisecond too.
 */
async function leasedUntil(
  db: Kysely<Schema>,
  request: LeaseRequest,
  tried: number[],
): Promise<Shard[] | null> {
  const rows = await db
    .selectFrom("shards")
    .selectAll()
    .where("batch_id", "=", request.batchId)
    .where(notDone)
    .where(isAskedFor(request))
    .where("holder", "=", request.holder)
    .where("leased_until", "in", tried)
    .orderBy("shard")
    .execute();
  return rows.length === 0 ? null : rows.map(shardOf);
}

interface FinishedShard {
  lease: ShardLease;
  segments: NotedSegment[];
  tally: ShardTally;
}

function finishShards(db: Kysely<Schema>, items: FinishedShard[]): Promise<boolean[]> {
  if (items.length === 1) return finishEach(db, items);
  return db.transaction().execute((transaction) => finishEach(transaction, items));
}

async function finishEach(db: Kysely<Schema>, items: FinishedShard[]): Promise<boolean[]> {
  const held: boolean[] = [];
  for (const { lease, segments, tally } of items) {
    const columns = { state: "done" as const, ...noHolder, segments_json: JSON.stringify(segments) };
    held.push(await changeHeld(db, lease, { ...columns, ...tallyColumns(tally) }));
  }
  return held;
}

/** Compares and sets: only who holds the shard under this very epoch may change it. */
async function changeHeld(
  db: Kysely<Schema>,
  { batchId, shard, epoch }: ShardLease,
  columns: Partial<ShardRow>,
): Promise<boolean> {
  const result = await db
    .updateTable("shards")
    .set(columns)
    .where("batch_id", "=", batchId)
    .where("shard", "=", shard)
    .where("epoch", "=", epoch)
    .where("state", "=", "leased")
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

const noTally = {
  completed: 0,
  failed: 0,
  input_tokens: 0,
  cached_tokens: 0,
  output_tokens: 0,
  reasoning_tokens: 0,
  total_tokens: 0,
};

function tallyColumns({ completed, failed, tokens }: ShardTally): typeof noTally {
  return {
    completed,
    failed,
    input_tokens: tokens.input,
    cached_tokens: tokens.cached,
    output_tokens: tokens.output,
    reasoning_tokens: tokens.reasoning,
    total_tokens: tokens.total,
  };
}

function shardOf(row: ShardRow): Shard {
  return {
    batchId: row.batch_id,
    shard: row.shard,
    endpoint: row.endpoint,
    model: row.model,
    firstLine: row.first_line,
    lines: row.lines,
    planOffset: row.plan_offset,
    state: row.state,
    epoch: row.epoch,
    holder: row.holder,
    segments: JSON.parse(row.segments_json),
    completed: row.completed,
    failed: row.failed,
    tokens: {
      input: row.input_tokens,
      cached: row.cached_tokens,
      output: row.output_tokens,
      reasoning: row.reasoning_tokens,
      total: row.total_tokens,
    },
  };
}
