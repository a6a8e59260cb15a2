import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { Kysely } from "kysely";
import { NerifError } from "../batch/errors.ts";
import type { ControlStore } from "./control-store.ts";
import { migrate } from "./migrations/migrate.ts";
import { createPrivateFile } from "./private-file.ts";
import type { Schema } from "./schema.ts";
import type { MigrationDialect, SqlDatabase } from "./sql-database.ts";
import { createSqlStore } from "./sql-store.ts";
import { createSqliteDialect } from "./sqlite-dialect.ts";
import { fromSqlite, isBusy, isIoFailure } from "./sqlite-errors.ts";

export interface SqliteControlStoreOptions {
  /** The database file; it and its directory are created when they are missing. */
  path: string;
  /**
   * The clock that leases run by, in milliseconds. It must not jump and must be about the same in all processes
   * that execute. Default: the wall clock as it was when the process began, plus monotonic time since.
   */
  leaseClock?: () => number;
  /** Called once when the disk fails: the process must stop at once and start anew. Default: nothing. */
  onFatal?: (error: NerifError) => void;
  /** How long an operation waits for a lock of another process, in milliseconds. Default 10,000. */
  lockWaitMs?: number;
}

/**
 * How long SQLite itself waits for a lock, in milliseconds. The event loop stands still meanwhile, so it is only
 * as long as another process's transaction should last; `run` waits for the rest.
 */
const busyTimeoutMs = 10;

/**
 * The control store in one SQLite file, which several processes may open.
 * @throws NerifError `storage_unavailable`, `data_too_new`, `data_damaged`, `disk_full`
 */
export async function openSqliteControlStore(options: SqliteControlStoreOptions): Promise<ControlStore> {
  createPrivateFile(options.path);
  const connection = openConnection(options.path);
  const database = createDatabase(connection, options);
  try {
    await database.run("open the data directory", async (db) => {
      configure(connection);
      await migrate(db, migrationDialect);
    });
  } catch (error) {
    await database.close();
    throw error;
  }
  return createSqlStore(database);
}

function openConnection(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: busyTimeoutMs });
  } catch (error) {
    throw fromSqlite(error, `open ${path}`);
  }
}

function configure(connection: DatabaseSync): void {
  connection.exec("pragma journal_mode = wal");
  // DURABLE: with NORMAL a power cut takes the last commits although they were acknowledged.
  connection.exec("pragma synchronous = full");
  if (process.platform === "darwin") {
    // DURABLE: on macOS a plain fsync leaves the bytes in the drive's cache.
    connection.exec("pragma fullfsync = on; pragma checkpoint_fullfsync = on");
  }
  connection.exec("pragma foreign_keys = on");
}

const migrationDialect: MigrationDialect = {
  place: "the data directory",
  // Every transaction begins with the write lock.
  async lock() {},
  sequence: { type: "integer", build: (column) => column.primaryKey().autoIncrement() },
};

function createDatabase(connection: DatabaseSync, options: SqliteControlStoreOptions): SqlDatabase {
  const { leaseClock = monotonicSinceEpoch, onFatal, lockWaitMs = 10_000 } = options;
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(connection) });
  const running = new Set<Promise<unknown>>();
  let closing: Promise<void> | null = null;
  let failure: NerifError | null = null;

  function run<T>(action: string, work: (db: Kysely<Schema>) => Promise<T>): Promise<T> {
    const result = attempt(action, work);
    running.add(result);
    const forget = () => running.delete(result);
    result.then(forget, forget);
    return result;
  }

  async function attempt<T>(action: string, work: (db: Kysely<Schema>) => Promise<T>): Promise<T> {
    const start = performance.now();
    for (let delay = 2; ; delay = Math.min(2 * delay, 100)) {
      if (failure !== null) throw failure;
      if (closing !== null) {
        throw new NerifError("storage_unavailable", `Cannot ${action}: the control store is closed`);
      }
      try {
        return await work(db);
      } catch (error) {
        if (isIoFailure(error)) throw fail(fromSqlite(error, action));
        if (!isBusy(error) || performance.now() - start + delay > lockWaitMs) {
          throw fromSqlite(error, action);
        }
      }
      // Processes that wait for the same lock shall not come back in step.
      await sleep(delay * (0.5 + Math.random() / 2));
    }
  }

  function fail(error: NerifError): NerifError {
    if (failure === null) {
      failure = error;
      onFatal?.(error);
    }
    return failure;
  }

  async function close(): Promise<void> {
    await Promise.allSettled(running);
    await db.destroy();
    // Kysely closes only what it has opened, which it does with the first query.
    if (connection.isOpen) connection.close();
  }

  return {
    run,
    // SQLite has one writer at a time.
    skipLocked: (query) => query,
    keepAsRead: (query) => query,
    leaseClock,
    changeCounter: () => run("look for changes", async () => countChanges(connection)),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Both only grow: the writes of this connection, and a version that those of all others move. */
function countChanges(connection: DatabaseSync): number {
  const ours = connection.prepare("select total_changes() as writes").get();
  const theirs = connection.prepare("pragma data_version").get();
  return Number(ours?.writes) + Number(theirs?.data_version);
}

function monotonicSinceEpoch(): number {
  return performance.timeOrigin + performance.now();
}
