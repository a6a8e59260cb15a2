import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import { Kysely } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeControlStoreContract } from "../../test/contracts/control-store.ts";
import { aBatch } from "../../test/support/control-rows.ts";
import { initial } from "./migrations/0001-initial.ts";
import type { Schema } from "./schema.ts";
import { openSqliteControlStore } from "./sqlite.ts";
import { createSqliteDialect } from "./sqlite-dialect.ts";

describeControlStoreContract("SQLite", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nerif-control-"));
  const path = join(directory, "nerif.db");
  return {
    open: (leaseClock) => openSqliteControlStore(leaseClock === undefined ? { path } : { path, leaseClock }),
    dispose: () => rm(directory, { recursive: true }),
  };
});

describe("the SQLite control store", () => {
  let directory: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "nerif-control-"));
    path = join(directory, "deep", "data", "nerif.db");
  });

  afterEach(() => rm(directory, { recursive: true }));

  test.skipIf(process.platform === "win32")("is for its owner alone when it is made", async () => {
    const store = await openSqliteControlStore({ path });
    await store.insertBatch(aBatch());
    for (const file of [path, `${path}-wal`, `${path}-shm`]) {
      expect((await stat(file)).mode & 0o777).toBe(0o600);
    }
    expect((await stat(join(directory, "deep", "data"))).mode & 0o777).toBe(0o700);
    await store.close();
  });

  test("keeps what it has when it is opened again", async () => {
    const first = await openSqliteControlStore({ path });
    const batch = aBatch();
    await first.insertBatch(batch);
    await first.close();
    const second = await openSqliteControlStore({ path });
    expect(await second.getBatch(null, batch.id)).toEqual(batch);
    await second.close();
  });

  test("finds the metadata of batches that an older Nerif has recorded", async () => {
    const metadata = { team: "search", note: 'says "x,"' };
    const ids = await writeOldBatches(path, metadata);
    const store = await openSqliteControlStore({ path });
    const found = await store.listBatches({ project: "p", limit: 10, metadata: { note: 'says "x,"' } });
    expect(found.map(({ id }) => id)).toEqual(ids.toReversed());
    expect(found[0]?.metadata).toEqual(metadata);
    // A page may be part of those that are noted and part of those that are not.
    expect(await store.noteMetadata(1)).toBe(true);
    const pair = { team: "search" };
    const page = (after?: string) => store.listBatches({ project: "p", limit: 1, metadata: pair, after });
    const [first] = await page();
    expect([first?.id, (await page(first?.id))[0]?.id]).toEqual(ids.toReversed());
    while (await store.noteMetadata(1));
    expect((await store.listBatches({ project: "p", limit: 10, metadata: pair })).length).toBe(ids.length);
    await store.close();
  });

  test("refuses data that a newer Nerif wrote, and leaves it as it is", async () => {
    await (await openSqliteControlStore({ path })).close();
    const newer = new DatabaseSync(path);
    newer.exec("insert into nerif_schema (version, name) values (99, 'future')");
    newer.close();
    await expect(openSqliteControlStore({ path })).rejects.toMatchObject({
      code: "data_too_new",
      message: "Cannot open the data directory: it has schema version 99, newer than this Nerif's 4",
    });
    const later = new DatabaseSync(path);
    expect(later.prepare("select max(version) as version from nerif_schema").get()?.version).toBe(99);
    later.close();
  });

  test("refuses a file that is no database", async () => {
    const file = join(directory, "nerif.db");
    await writeFile(file, "not a database, but long enough to be looked at".repeat(100));
    await expect(openSqliteControlStore({ path: file })).rejects.toMatchObject({ code: "data_damaged" });
  });

  test("says why when its directory cannot be made", async () => {
    await writeFile(join(directory, "deep"), "");
    await expect(openSqliteControlStore({ path })).rejects.toMatchObject({
      code: "storage_unavailable",
      message: `Cannot create ${path}: ENOTDIR`,
    });
  });

  test("waits for another process's transaction and goes on after it", async () => {
    const store = await openSqliteControlStore({ path });
    const blocker = new DatabaseSync(path);
    blocker.exec("begin immediate");
    const batch = aBatch();
    const written = store.insertBatch(batch);
    // By the next turn the first try has failed; reading goes on meanwhile.
    await turn();
    expect(await store.getBatch(null, batch.id)).toBeNull();
    blocker.exec("commit");
    await written;
    expect(await store.getBatch(null, batch.id)).toEqual(batch);
    blocker.close();
    await store.close();
  });

  test("gives up when another process keeps the lock for longer than it may wait", async () => {
    const store = await openSqliteControlStore({ path, lockWaitMs: 0 });
    const blocker = new DatabaseSync(path);
    blocker.exec("begin immediate");
    const batch = aBatch();
    await expect(store.insertBatch(batch)).rejects.toMatchObject({
      code: "storage_unavailable",
      message: "Cannot record the batch: the database stays locked by another process",
    });
    blocker.exec("rollback");
    await store.insertBatch(batch);
    blocker.close();
    await store.close();
  });

  test("leaves what waits for a lock unwritten when it is closed meanwhile", async () => {
    const store = await openSqliteControlStore({ path });
    const blocker = new DatabaseSync(path);
    blocker.exec("begin immediate");
    const refused = expect(store.insertBatch(aBatch())).rejects.toMatchObject({
      code: "storage_unavailable",
    });
    await turn();
    await store.close();
    await refused;
    blocker.exec("commit");
    expect(blocker.prepare("select count(*) as batches from batches").get()?.batches).toBe(0);
    blocker.close();
  });
});

/** A database as version 0.1 made it, with two batches that have metadata and one that has none. */
async function writeOldBatches(path: string, metadata: Record<string, string>): Promise<string[]> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const connection = new DatabaseSync(path);
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(connection) });
  await initial(db, {
    place: "the data directory",
    lock: async () => {},
    sequence: { type: "integer", build: (column) => column.primaryKey().autoIncrement() },
  });
  connection.exec("create table nerif_schema (version integer primary key, name text not null)");
  connection.exec("insert into nerif_schema values (1, 'initial')");
  const insert = connection.prepare(
    `insert into batches (id, project, version, status, endpoint, input_file_id, completion_window, created_at, total,
     completed, failed, metadata_json) values (?, 'p', 1, 'failed', '/v1/embeddings', 'file-x', '24h', 1, 0, 0, 0, ?)`,
  );
  insert.run("batch_1", JSON.stringify(metadata));
  insert.run("batch_2", JSON.stringify(metadata));
  insert.run("batch_3", null);
  await db.destroy();
  if (connection.isOpen) connection.close();
  return ["batch_1", "batch_2"];
}
