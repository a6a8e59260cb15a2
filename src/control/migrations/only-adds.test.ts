import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import { expect, test } from "vitest";
import type { Schema } from "../schema.ts";
import type { MigrationDialect } from "../sql-database.ts";
import { createSqliteDialect } from "../sqlite-dialect.ts";
import { migrations } from "./migrate.ts";

/** Before it nobody ran two versions side by side. */
const firstShared = 3;
const dialect: MigrationDialect = {
  place: "the data directory",
  async lock() {},
  sequence: { type: "integer", build: (column) => column.primaryKey().autoIncrement() },
};

test("a migration leaves what an older Nerif knows as it was, and adds nothing that its inserts would not satisfy", async () => {
  const connection = new DatabaseSync(":memory:");
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(connection) });
  for (const migration of migrations.slice(0, firstShared)) await migration(db, dialect);
  for (const [nth, migration] of migrations.slice(firstShared).entries()) {
    const before = describe(connection);
    await migration(db, dialect);
    const after = describe(connection);
    const name = `migration ${firstShared + nth + 1}`;
    expect(after.columns, name).toEqual(expect.arrayContaining(before.columns));
    for (const table of before.tables) {
      const added = columnsOf(connection, table).filter(({ text }) => !before.columns.includes(text));
      expect(
        added.filter(({ isNeeded }) => isNeeded),
        `${name}: columns of ${table}`,
      ).toEqual([]);
      expect(rulesOf(connection, table), `${name}: rules of ${table}`).toEqual(rulesIn(before.rules, table));
    }
  }
  await db.destroy();
});

interface Described {
  tables: string[];
  columns: string[];
  rules: string[];
}

function describe(connection: DatabaseSync): Described {
  const tables = connection
    .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name")
    .all()
    .map(({ name }) => String(name));
  return {
    tables,
    columns: tables.flatMap((table) => columnsOf(connection, table).map(({ text }) => text)),
    rules: tables.flatMap((table) => rulesOf(connection, table)),
  };
}

function columnsOf(connection: DatabaseSync, table: string): { text: string; isNeeded: boolean }[] {
  return connection
    .prepare(`pragma table_info(${table})`)
    .all()
    .map(({ name, type, notnull, dflt_value, pk }) => ({
      text: [table, name, type, notnull, dflt_value, pk].join(" "),
      isNeeded: notnull === 1 && dflt_value === null,
    }));
}

/** What refuses a row: unique indexes, references and triggers. */
function rulesOf(connection: DatabaseSync, table: string): string[] {
  const unique = connection
    .prepare(`pragma index_list(${table})`)
    .all()
    .filter(({ unique }) => unique === 1);
  const references = connection.prepare(`pragma foreign_key_list(${table})`).all();
  const triggers = connection
    .prepare("select name from sqlite_master where type = 'trigger' and tbl_name = ?")
    .all(table);
  return [
    ...unique.map(({ name }) => `${table} unique ${name}`),
    ...references.map((reference) => `${table} references ${reference.table} ${reference.from}`),
    ...triggers.map(({ name }) => `${table} trigger ${name}`),
  ];
}

function rulesIn(rules: string[], table: string): string[] {
  return rules.filter((rule) => rule.startsWith(`${table} `));
}
