import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ControlStore } from "../../src/control/control-store.ts";
import { openSqliteControlStore } from "../../src/control/sqlite.ts";
import { type ControlProcess, startControlProcess } from "../support/control-process.ts";
import { aRunningBatch, someShards } from "../support/control-rows.ts";

let directory: string;
let path: string;
let processes: ControlProcess[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "nerif-data-"));
  path = join(directory, "nerif.db");
  processes = [];
});

afterEach(async () => {
  await Promise.all(processes.map((running) => running.kill()));
  await rm(directory, { recursive: true });
});

describe("the executor lock", () => {
  test("goes to one of two processes, and to the other at once after a kill -9", async () => {
    const [first, second] = await start(2);
    expect(await first.call("acquire", directory, "nerif serve")).toBe(true);
    expect(await first.call("acquire", directory, "nerif serve")).toBe(true);
    expect(await second.call("acquire", directory, "nerif worker")).toBe(false);
    expect(await second.call("holder")).toMatchObject({ pid: first.pid, command: "nerif serve" });

    await first.kill();
    expect(await second.call("holder")).toBeNull();
    expect(await second.call("acquire", directory, "nerif worker")).toBe(true);
    expect(await second.call("holder")).toMatchObject({ pid: second.pid, command: "nerif worker" });
  });

  test("goes to one of several processes when all ask at once", async () => {
    const running = await start(4);
    const results = await Promise.all(running.map((one) => one.call("acquire", directory, "nerif serve")));
    expect(results.filter((acquired) => acquired)).toHaveLength(1);
  });

  test("is free again, and its note gone, when it was released", async () => {
    const [first, second] = await start(2);
    await first.call("acquire", directory, "nerif serve");
    await first.call("release");
    expect(await readdir(directory)).toEqual(["executor.lock"]);
    expect(await second.call("acquire", directory, "nerif serve")).toBe(true);
    // Nothing of the second's may fall by what the first does now.
    await first.call("release");
    expect(await first.call("acquire", directory, "nerif serve")).toBe(false);
    expect(await first.call("holder")).toMatchObject({ pid: second.pid });
  });

  test("stays when the process that has it tries to take it a second time", async () => {
    const [first, second] = await start(2);
    await first.call("acquire", directory, "nerif serve");
    expect(await first.call("acquireTwice", directory)).toBe(false);
    expect(await second.call("acquire", directory, "nerif serve")).toBe(false);
    expect(await second.call("holder")).toMatchObject({ pid: first.pid });
  });

  test("stays while another process copies the whole directory, the lock included", async () => {
    const [first, second] = await start(2);
    await first.call("acquire", directory, "nerif serve");
    const copy = `${directory}-copy`;
    await promisify(execFile)("cp", ["-R", directory, copy]);
    await rm(copy, { recursive: true });
    expect(await second.call("acquire", directory, "nerif serve")).toBe(false);
  });
});

describe("the control store of several processes", () => {
  test("is migrated once when all open a new directory at once", async () => {
    const running = await start(4);
    await Promise.all(running.map((one) => one.call("open", path)));
    const database = new DatabaseSync(path);
    const versions = database.prepare("select version from nerif_schema order by version").all();
    expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
    database.close();
  });

  test("loses no update, runs no shard twice and never surfaces a lock when all write at once", async () => {
    const batch = aRunningBatch({ metadata: { n: "0" } });
    await withStore(async (store) => {
      await store.insertBatch(batch);
      await store.insertShards(batch.id, someShards(0, 300));
    });
    const running = await start(3);
    await Promise.all(running.map((one) => one.call("open", path)));
    const [shards] = await Promise.all([
      Promise.all(running.map((one) => one.call("runShards", batch.id, `holder ${one.pid}`))),
      Promise.all(running.map((one) => one.call("increment", batch.id, 50))),
    ]);
    expect(shards.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, index) => index));
    await withStore(async (store) => {
      expect(await store.getBatch(null, batch.id)).toMatchObject({
        metadata: { n: "150" },
        version: 151,
        request_counts: { completed: 300 * 512 },
      });
    });
  });

  test("has everything that was acknowledged, and no half transaction, after a kill -9", async () => {
    const batch = aRunningBatch();
    await withStore((store) => store.insertBatch(batch));
    for (let kills = 0; kills < 3; kills++) {
      const [writer] = await start(1);
      await writer.call("open", path);
      const before = await checkWritten(path, batch.id);
      await writer.call("writeForever", batch.id);
      let acknowledged = 0;
      while (acknowledged < 5) acknowledged = await writer.call("rounds");
      await writer.kill();
      expect((await checkWritten(path, batch.id)).versions).toBeGreaterThanOrEqual(
        before.versions + acknowledged,
      );
    }
  });

  test("stops for good when the disk refuses a write, and keeps what was acknowledged", async () => {
    const batch = aRunningBatch();
    await withStore((store) => store.insertBatch(batch));
    const writer = await startControlProcess({ fileLimitKiB: 300 });
    processes.push(writer);
    await writer.call("open", path);
    await expect(writer.call("writeUntilFailure", batch.id)).rejects.toMatchObject({
      name: "NerifError",
      code: "storage_unavailable",
    });
    expect(await writer.call("fatal")).toBe(1);
    await expect(writer.call("ping")).rejects.toMatchObject({ code: "storage_unavailable" });
    const acknowledged = await writer.call("rounds");
    expect(acknowledged).toBeGreaterThan(0);
    await writer.kill();
    await withStore(async (store) => {
      const shards = await store.shardsInOrder(batch.id, -1, 100_000);
      expect(shards.length).toBe(acknowledged * 100);
    });
  });
});

describe("a backup of a data directory that is written to", () => {
  // From a process that is not the writer, as an operator would.
  const ways: Record<string, (target: string) => Promise<void>> = {
    async "VACUUM INTO"(target) {
      const database = new DatabaseSync(path);
      database.prepare("vacuum into ?").run(target);
      database.close();
    },
    async "a copy of all files under a read transaction"(target) {
      const database = new DatabaseSync(path);
      // A reader keeps the write-ahead log from being begun anew, so file and log fit together.
      database.exec("begin; select count(*) from nerif_schema");
      await cp(path, target);
      await cp(`${path}-wal`, `${target}-wal`);
      database.exec("commit");
      database.close();
    },
  };

  test.each(Object.keys(ways))("opens and is one moment of it when made by %s", async (way) => {
    const batch = aRunningBatch();
    await withStore((store) => store.insertBatch(batch));
    const [writer] = await start(1);
    await writer.call("open", path);
    await writer.call("writeForever", batch.id);
    for (let copies = 0, seen = 0; copies < 5; copies++) {
      const rounds = await writer.call("rounds");
      const target = join(directory, `backup-${copies}`);
      await ways[way]?.(target);
      const { versions } = await checkWritten(target, batch.id);
      expect(versions).toBeGreaterThanOrEqual(Math.max(rounds, seen));
      seen = versions;
      // The next copy is of a later state.
      while ((await writer.call("rounds")) <= rounds);
    }
  });
});

async function start<Count extends number>(count: Count) {
  const started = await Promise.all(Array.from({ length: count }, () => startControlProcess()));
  processes.push(...started);
  return started as Count extends 1
    ? [ControlProcess]
    : Count extends 2
      ? [ControlProcess, ControlProcess]
      : ControlProcess[];
}

async function withStore<T>(work: (store: ControlStore) => Promise<T>, file = path): Promise<T> {
  const store = await openSqliteControlStore({ path: file });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** What `writeForever` wrote: each version of the batch came with one file, and after 1,000 shards. */
function checkWritten(file: string, batchId: string): Promise<{ versions: number }> {
  return withStore(async (store) => {
    const batch = await store.getBatch(null, batchId);
    const versions = (batch?.version ?? 0) - 1;
    const files = await store.listFiles({ project: "default", now: 0, limit: 1_000_000, order: "asc" });
    const shards = await store.shardsInOrder(batchId, -1, 10_000_000);
    expect(files).toHaveLength(versions);
    expect([versions * 1000, (versions + 1) * 1000]).toContain(shards.length);
    const database = new DatabaseSync(file);
    expect(database.prepare("pragma integrity_check").all()).toMatchObject([{ integrity_check: "ok" }]);
    database.close();
    return { versions };
  }, file);
}
