import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import { Kysely, sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSqliteDialect } from "./sqlite-dialect.ts";
import { fromSqlite, isBusy } from "./sqlite-errors.ts";

interface Tables {
  notes: { n: number; body: string };
}

let directory: string;
let connection: DatabaseSync;
let db: Kysely<Tables>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "nerif-dialect-"));
  connection = new DatabaseSync(join(directory, "test.db"), { timeout: 0 });
  connection.exec(
    "pragma journal_mode = wal; create table notes (n integer primary key, body text not null)",
  );
  db = new Kysely<Tables>({ dialect: createSqliteDialect(connection) });
});

afterEach(async () => {
  await db.destroy();
  if (connection.isOpen) connection.close();
  await rm(directory, { recursive: true });
});

test("a statement waits while a transaction is open, and stays when that is rolled back", async () => {
  const transaction = db.transaction().execute(async (inside) => {
    await inside.insertInto("notes").values({ n: 1, body: "inside" }).execute();
    await turn();
    throw new Error("changed its mind");
  });
  const outside = db.insertInto("notes").values({ n: 2, body: "outside" }).execute();
  await expect(transaction).rejects.toThrow("changed its mind");
  await outside;
  expect(await db.selectFrom("notes").selectAll().execute()).toEqual([{ n: 2, body: "outside" }]);
});

test("a statement tells how many rows it changed, or returns them when asked", async () => {
  await db
    .insertInto("notes")
    .values([1, 2, 3].map((n) => ({ n, body: `${n}` })))
    .execute();
  const updated = await db.updateTable("notes").set({ body: "x" }).where("n", ">", 1).executeTakeFirst();
  expect(updated.numUpdatedRows).toBe(2n);
  const deleted = await db.deleteFrom("notes").where("n", "=", 1).returningAll().execute();
  expect(deleted).toEqual([{ n: 1, body: "1" }]);
});

test("a transaction that writes takes the lock at its beginning, one that only reads takes none", async () => {
  const blocker = new DatabaseSync(join(directory, "test.db"), { timeout: 0 });
  blocker.exec("begin immediate");
  const read = db
    .transaction()
    .setAccessMode("read only")
    .execute((inside) => inside.selectFrom("notes").selectAll().execute());
  expect(await read).toEqual([]);

  let entered = false;
  const write = db.transaction().execute(async () => {
    entered = true;
  });
  await expect(write).rejects.toSatisfy(isBusy);
  expect(entered).toBe(false);
  blocker.close();
});

test("a full disk is told as such, nothing of the transaction stays, and a smaller one still works", async () => {
  await db.insertInto("notes").values({ n: 1, body: "kept" }).execute();
  const { page_count: pages } = connection.prepare("pragma page_count").get() as { page_count: number };
  connection.exec(`pragma max_page_count = ${pages + 5}`);
  const large = db.transaction().execute(async (inside) => {
    for (let n = 2; ; n++)
      await inside
        .insertInto("notes")
        .values({ n, body: "x".repeat(1_000) })
        .execute();
  });
  const error = await large.catch((reason: unknown) => fromSqlite(reason, "record the shards"));
  expect(error).toMatchObject({ code: "disk_full", message: "Cannot record the shards: the disk is full" });
  expect(await db.selectFrom("notes").select("n").execute()).toEqual([{ n: 1 }]);
  await db.insertInto("notes").values({ n: 2, body: "small" }).execute();
});

test("statements go on working when more of them are used than are kept", async () => {
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 300; n++) {
      const { rows } = await sql<{ n: number }>`select ${sql.lit(n)} as n`.execute(db);
      expect(rows).toEqual([{ n }]);
    }
  }
});
