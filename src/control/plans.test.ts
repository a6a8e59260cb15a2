import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { fillForPlans, hotPlans } from "../../test/support/plans.ts";
import type { Schema } from "./schema.ts";
import { openSqliteControlStore } from "./sqlite.ts";
import { createSqliteDialect } from "./sqlite-dialect.ts";

/** A table that is read from its beginning to its end. What is named in a statement is none. */
const wholeTable =
  /^SCAN (?!(CONSTANT ROW|\d+ CONSTANT ROWS|\d+-ROW VALUES|free|found|of_version|renewed)\b|.* batches_not_noted$)/;
/** A page of a list is put in order only after all of it was read. */
const sorted = /USE TEMP B-TREE FOR .*ORDER BY/;

test("SQLite finds what is asked for by an index, however long the history is", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nerif-plans-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "nerif.db");
  await (await openSqliteControlStore({ path })).close();
  const connect: Parameters<typeof hotPlans>[0] = (log) => {
    const dialect = createSqliteDialect(new DatabaseSync(path));
    return new Kysely<Schema>(log === undefined ? { dialect } : { dialect, log });
  };
  const filling = connect();
  await fillForPlans(filling);
  await filling.destroy();

  const plans = await hotPlans(connect, (sql) => `explain query plan ${sql}`);
  expect(plans.length).toBeGreaterThan(30);
  const slow = plans.filter(
    ({ operation, sql, steps }) =>
      steps.some((step) => wholeTable.test(step)) ||
      // Any index will do for SQLite, but in this one there are hardly any.
      (sql.includes("is_noted = 0") && !steps.some((step) => step.includes("batches_not_noted"))) ||
      (operation.startsWith("list") && steps.some((step) => sorted.test(step))),
  );
  expect(slow).toEqual([]);
});
