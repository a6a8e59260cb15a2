import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import type { ControlStore } from "../../../src/control/control-store.ts";
import { migrate } from "../../../src/control/migrations/migrate.ts";
import type { Schema } from "../../../src/control/schema.ts";
import { createSqlStore } from "../../../src/control/sql-store.ts";
import { createSqliteDialect } from "../../../src/control/sqlite-dialect.ts";
import { fromSqlite } from "../../../src/control/sqlite-errors.ts";
import { theWorld } from "../world/world.ts";

/** The real control store on a database in memory: what is committed survives every life. */
export interface Database {
  store: ControlStore;
  /** Grows with every change. */
  changes(): number;
  /** Makes it as good as new. */
  clear(): void;
}

export async function openDatabase(): Promise<Database> {
  const connection = new DatabaseSync(":memory:");
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(connection) });
  await migrate(db, {
    async lock() {},
    sequence: { type: "integer", build: (column) => column.primaryKey().autoIncrement() },
  });
  connection.exec("pragma foreign_keys = on");
  const counter = connection.prepare("select total_changes() as changes");
  const tables = connection
    .prepare("select name from sqlite_master where type = 'table' and name <> 'nerif_schema'")
    .all()
    .map(({ name }) => String(name));
  const changes = () => Number(counter.get()?.changes);

  return {
    changes,
    store: createSqlStore({
      async run(action, work) {
        try {
          return await work(db);
        } catch (reason) {
          throw fromSqlite(reason, action);
        }
      },
      skipLocked: (query) => query,
      leaseClock: () => theWorld().now,
      changeCounter: async () => changes(),
      close: async () => {},
    }),
    clear() {
      connection.exec("pragma foreign_keys = off");
      for (const table of tables) connection.exec(`delete from ${table}`);
      connection.exec("pragma foreign_keys = on");
    },
  };
}
