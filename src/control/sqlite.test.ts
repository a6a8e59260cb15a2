import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeControlStoreContract } from "../../test/contracts/control-store.ts";
import { aBatch } from "../../test/support/control-rows.ts";
import { openSqliteControlStore } from "./sqlite.ts";

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

  test("refuses data that a newer Nerif wrote, and leaves it as it is", async () => {
    await (await openSqliteControlStore({ path })).close();
    const newer = new DatabaseSync(path);
    newer.exec("insert into nerif_schema (version, name) values (99, 'future')");
    newer.close();
    await expect(openSqliteControlStore({ path })).rejects.toMatchObject({
      code: "data_too_new",
      message:
        "Cannot open the data directory: it was written by a newer Nerif (schema 99, this one knows 2)",
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
