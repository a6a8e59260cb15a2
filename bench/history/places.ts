import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Dialect, Kysely, type LogEvent } from "kysely";
import { openPostgresControlStore } from "../../src/control/postgres.ts";
import { createPostgresDialect } from "../../src/control/postgres-dialect.ts";
import type { Schema } from "../../src/control/schema.ts";
import { openSqliteControlStore } from "../../src/control/sqlite.ts";
import { createSqliteDialect } from "../../src/control/sqlite-dialect.ts";
import { startPostgres } from "../../test/support/postgres.ts";

/** Where a server keeps everything, for one measurement. */
export interface Place {
  name: string;
  /** Options of `nerif serve`. */
  args: string[];
  /** The database behind the store's back; it has the newest schema. */
  connect(log?: (event: LogEvent) => void): Kysely<Schema>;
  /** Gathers statistics, which a database in use does by itself. */
  analyze: string;
  /** The statement that shows how another is done. */
  explain(sql: string): string;
  remove(): Promise<void>;
}

export async function openSqlitePlace(): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), "nerif-history-"));
  const path = join(directory, "data", "nerif.db");
  await (await openSqliteControlStore({ path })).close();
  return {
    name: "SQLite",
    args: ["--data-dir", join(directory, "data")],
    connect: (log) => open(createSqliteDialect(new DatabaseSync(path, { timeout: 10_000 })), log),
    analyze: "select 1",
    explain: (sql) => `explain query plan ${sql}`,
    remove: async () => rmSync(directory, { recursive: true }),
  };
}

export async function openPostgresPlace(): Promise<Place> {
  const server = await startPostgres();
  const directory = mkdtempSync(join(tmpdir(), "nerif-history-"));
  const url = await server.createDatabase();
  await (await openPostgresControlStore({ url })).close();
  return {
    name: "PostgreSQL",
    args: ["--database-url", url, "--shared-dir", directory],
    connect: (log) =>
      open(createPostgresDialect({ url, connections: 1, connectMs: 5_000, statementMs: 600_000 }), log),
    analyze: "vacuum analyze",
    // Those that change something are not done for that.
    explain: (sql) => `explain ${/^select/.test(sql) ? "(analyze, buffers)" : ""} ${sql}`,
    async remove() {
      await server.remove();
      rmSync(directory, { recursive: true });
    },
  };
}

function open(dialect: Dialect, log?: (event: LogEvent) => void): Kysely<Schema> {
  return new Kysely<Schema>(log === undefined ? { dialect } : { dialect, log });
}
