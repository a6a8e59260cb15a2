import { setTimeout as sleep } from "node:timers/promises";
import { Kysely, sql } from "kysely";
import { NerifError } from "../batch/errors.ts";
import type { ControlStore } from "./control-store.ts";
import { migrate } from "./migrations/migrate.ts";
import { createPostgresDialect } from "./postgres-dialect.ts";
import { fromPostgres, isDoubtful, isPassing } from "./postgres-errors.ts";
import type { Schema } from "./schema.ts";
import { createServerClock } from "./server-clock.ts";
import type { MigrationDialect, RunOptions, SqlDatabase } from "./sql-database.ts";
import { createSqlStore } from "./sql-store.ts";

export interface PostgresControlStoreOptions {
  /** `postgres://user:password@host:port/database`; what it leaves out comes from `PGUSER`, `PGPASSWORD` and so on. */
  url: string;
  /** The clock that leases run by, in milliseconds. Default: the server's, as far as this process knows it. */
  leaseClock?: () => number;
  /** How long an operation is tried while the server is away, in milliseconds. Default 10,000. */
  awayMs?: number;
}

const connectMs = 5_000;
const longestMigrationMs = 60 * 60_000;
/** One number for all of Nerif: who holds this lock of a database migrates it. */
const migrationLock = 0x6e65_7269;

/**
 * The control store in a PostgreSQL database (13 or newer), which any number of processes may have open.
 * @throws NerifError `storage_unavailable`, `data_too_new`, `invalid_configuration`
 */
export async function openPostgresControlStore(options: PostgresControlStoreOptions): Promise<ControlStore> {
  if (!URL.canParse(options.url)) {
    const shape = "it must look like postgres://user@host/name";
    throw new NerifError("invalid_configuration", `Cannot use the URL of the database: ${shape}`);
  }
  const database = createDatabase(options);
  try {
    await database.run("open the database", () => bringUpToDate(options.url));
    // From here on the server's clock is known.
    await database.changeCounter();
  } catch (error) {
    await database.close();
    throw error;
  }
  return createSqlStore(database);
}

/** Over a connection of its own, whose statements may take as long as large tables need. */
async function bringUpToDate(url: string): Promise<void> {
  const dialect = createPostgresDialect({ url, connections: 1, connectMs, statementMs: longestMigrationMs });
  const db = new Kysely<Schema>({ dialect });
  try {
    await migrate(db, migrationDialect);
  } finally {
    await db.destroy();
  }
}

const migrationDialect: MigrationDialect = {
  place: "the database",
  async lock(transaction) {
    await sql`select pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(transaction);
  },
  sequence: { type: "bigserial", build: (column) => column.primaryKey() },
};

function createDatabase({ url, leaseClock, awayMs = 10_000 }: PostgresControlStoreOptions): SqlDatabase {
  const db = new Kysely<Schema>({
    dialect: createPostgresDialect({ url, connections: 10, connectMs, statementMs: 10_000 }),
  });
  const running = new Set<Promise<unknown>>();
  let closing: Promise<void> | null = null;
  const serverClock = createServerClock(() => performance.now());
  let seen = "";
  let changes = 0;

  function run<T>(
    action: string,
    work: (db: Kysely<Schema>) => Promise<T>,
    options: RunOptions<T> = {},
  ): Promise<T> {
    const result = attempt(action, work, options);
    running.add(result);
    const forget = () => running.delete(result);
    result.then(forget, forget);
    return result;
  }

  async function attempt<T>(
    action: string,
    work: (db: Kysely<Schema>) => Promise<T>,
    { earlier }: RunOptions<T>,
  ): Promise<T> {
    const start = performance.now();
    let doubtful = false;
    for (let delay = 5; ; delay = Math.min(2 * delay, 500)) {
      if (closing !== null) {
        throw new NerifError("storage_unavailable", `Cannot ${action}: the control store is closed`);
      }
      try {
        return doubtful && earlier !== undefined ? await repeat(work, earlier) : await work(db);
      } catch (error) {
        doubtful ||= isDoubtful(error);
        if (!isPassing(error) || performance.now() - start + delay > awayMs) {
          throw fromPostgres(error, action);
        }
      }
      // Processes that were in each other's way shall not come back in step.
      await sleep(delay * (0.5 + Math.random() / 2));
    }
  }

  /**
   * DURABLE: what an earlier try has committed may be there only after it was asked for, and the repetition then meets
   * it as somebody else's, is refused, and its caller would remove the bytes of a row that is there. So it is asked
   * for again afterwards.
   */
  async function repeat<T>(
    work: (db: Kysely<Schema>) => Promise<T>,
    earlier: (db: Kysely<Schema>) => Promise<T | null>,
  ): Promise<T> {
    const before = await earlier(db);
    if (before !== null) return before;
    const [outcome] = await Promise.allSettled([work(db)]);
    if (outcome.status === "rejected" && isPassing(outcome.reason)) throw outcome.reason;
    const after = await earlier(db);
    if (after !== null) return after;
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  }

  /**
   * A snapshot names every transaction that is under way, so it differs from the last one after any of them has
   * begun to write or has committed. The server's clock comes along.
   */
  async function lookForChanges(db: Kysely<Schema>): Promise<number> {
    const asked = performance.now();
    const { rows } = await sql<{ snapshot: string; now: number }>`
      select pg_current_snapshot()::text as snapshot, (extract(epoch from clock_timestamp()) * 1000)::bigint as now
    `.execute(db);
    const [row] = rows;
    if (row === undefined) return changes;
    serverClock.told({ asked, server: row.now });
    if (row.snapshot !== seen) changes += 1;
    seen = row.snapshot;
    return changes;
  }

  async function close(): Promise<void> {
    await Promise.allSettled(running);
    await db.destroy();
  }

  return {
    run,
    skipLocked: (query) => query.forUpdate().skipLocked(),
    keepAsRead: (query) => query.forShare(),
    leaseClock: leaseClock ?? serverClock.now,
    changeCounter: () => run("look for changes", lookForChanges),
    close() {
      closing ??= close();
      return closing;
    },
  };
}
