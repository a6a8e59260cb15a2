import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import type { ControlStore } from "../../../src/control/control-store.ts";
import { migrate } from "../../../src/control/migrations/migrate.ts";
import type { Schema } from "../../../src/control/schema.ts";
import type { SqlDatabase } from "../../../src/control/sql-database.ts";
import { createSqlStore } from "../../../src/control/sql-store.ts";
import { createSqliteDialect } from "../../../src/control/sqlite-dialect.ts";
import { fromSqlite } from "../../../src/control/sqlite-errors.ts";
import { theWorld } from "../world/world.ts";

/** The real control store on a database in memory: what is committed survives every life. */
export interface Database {
  /** As the world itself asks it. */
  store: ControlStore;
  /** Grows with every change. */
  readonly changes: number;
  call: Call;
  /** As one process has it: what its store gathers before it commits ends with that process. */
  connect(): Call;
  /** Makes it as good as new. */
  clear(): void;
}

export type Call = (name: string, args: unknown[]) => Promise<unknown>;

type Method = (...args: unknown[]) => Promise<unknown>;

/** Methods that change nothing. */
export const reading = /^(get|list|is|unfinished|ending|removable|shardsInOrder|openRoutes|named|ended|next)/;

export async function openDatabase(): Promise<Database> {
  const connection = new DatabaseSync(":memory:");
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(connection) });
  await migrate(db, {
    place: "the data directory",
    async lock() {},
    sequence: { type: "integer", build: (column) => column.primaryKey().autoIncrement() },
  });
  connection.exec("pragma foreign_keys = on");
  const counter = connection.prepare("select total_changes() as changes");
  const tables = connection
    .prepare("select name from sqlite_master where type = 'table' and name <> 'nerif_schema'")
    .all()
    .map(({ name }) => String(name));
  const countChanges = () => Number(counter.get()?.changes);
  let changes = countChanges();
  /** Answers to reads since the last change: the program asks the same again and again, above all when it starts. */
  const known = new Map<string, unknown>();
  const newStore = () => createSqlStore(database);
  const database: SqlDatabase = {
    async run(action, work) {
      try {
        return await work(db);
      } catch (reason) {
        throw fromSqlite(reason, action);
      }
    },
    keepAsRead: (query) => query,
    skipLocked: (query) => query,
    leaseClock: () => theWorld().now,
    changeCounter: async () => changes,
    close: async () => {},
  };
  const store = newStore();
  const call = callOn(store);

  return {
    store,
    get changes() {
      return changes;
    },
    call,
    connect: () => callOn(newStore()),
    clear() {
      connection.exec("pragma foreign_keys = off");
      for (const table of tables) connection.exec(`delete from ${table}`);
      connection.exec("pragma foreign_keys = on");
      known.clear();
      changes = countChanges();
    },
  };

  function callOn(asked: ControlStore): Call {
    const methods = asked as unknown as Record<string, Method>;
    return async (name, args) => {
      const method = methods[name];
      if (method === undefined) throw new Error(`The control store has no ${name}`);
      if (name === "endingBatches" && !(await mayEnd(Number(args[0])))) return [];
      const key = reading.test(name) ? `${name} ${JSON.stringify(args)}` : null;
      if (key !== null && known.has(key)) return known.get(key);
      const before = changes;
      const answer = await method(...args);
      if (key === null) noteChanges();
      else if (changes === before) known.set(key, answer);
      return answer;
    };
  }

  /** Asked each second, with another time: most of the time nothing can have come. */
  async function mayEnd(now: number): Promise<boolean> {
    const batches = (await call("unfinishedBatches", [])) as Awaited<
      ReturnType<typeof store.unfinishedBatches>
    >;
    return batches.some(({ status, ending, expires_at }) => {
      return status === "cancelling" || ending !== null || (expires_at !== null && expires_at <= now);
    });
  }

  function noteChanges(): void {
    const now = countChanges();
    if (now !== changes) known.clear();
    changes = now;
  }
}
