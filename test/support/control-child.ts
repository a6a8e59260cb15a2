import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { setImmediate as turn } from "node:timers/promises";
import type { ControlStore, ExecutorLock } from "../../src/control/control-store.ts";
import { createExecutorLock } from "../../src/control/executor-lock.ts";
import { openSqliteControlStore } from "../../src/control/sqlite.ts";
import { aFile, aTally, someShards } from "./control-rows.ts";

// A process of its own for tests. It reads one call a line, `[operation, ...arguments]`, and prints one answer a
// line, `{"result": …}` or `{"error": {code, message}}`, each as soon as it has it, in any order, with the call's number.

const route = { endpoint: "/v1/chat/completions", model: "m" };
let store: ControlStore | null = null;
let lock: ExecutorLock | null = null;
let fatal = 0;
let rounds = 0;

const operations = {
  pid: async () => process.pid,

  async open(path: string) {
    store = await openSqliteControlStore({ path, onFatal: () => fatal++ });
  },
  close: () => open().close(),
  fatal: async () => fatal,

  /** Adds 1 to a number in the batch's metadata, `times` times, reading again when another writer was first. */
  async increment(batchId: string, times: number) {
    for (let done = 0; done < times; ) {
      const batch = await open().getBatch(null, batchId);
      if (batch === null) throw new Error("the batch is gone");
      const metadata = { n: String(Number(batch.metadata?.n) + 1) };
      if ((await open().updateBatch(batchId, batch.version, { metadata })) !== null) done++;
    }
  },

  /** Leases and finishes shards until there are none; each is counted as 512 lines. */
  async runShards(batchId: string, holder: string) {
    const mine: number[] = [];
    for (;;) {
      const [shard] = await open().leaseShards({ batchId, ...route, holder, limit: 1, leaseMs: 60_000 });
      if (shard === undefined) return mine;
      if (!(await open().finishShard(shard, [], aTally(512)))) throw new Error("the lease was lost");
      mine.push(shard.shard);
    }
  },

  /** Records 1,000 shards and then a new version of the batch with one file, again and again, until it is killed. */
  async writeForever(batchId: string) {
    const batch = await open().getBatch(null, batchId);
    if (batch === null) throw new Error("the batch is gone");
    void (async () => {
      for (let version = batch.version; ; version++) {
        await open().insertShards(batchId, someShards((version - 1) * 1000, version * 1000));
        const updated = await open().updateBatch(
          batchId,
          version,
          { model: `m${version}` },
          { files: [aFile()] },
        );
        if (updated === null) throw new Error("another writer was first");
        rounds++;
        // SQLite answers without leaving the event loop's turn, so calls would never be read.
        await turn();
      }
    })();
  },
  rounds: async () => rounds,

  /** Records shards until that fails. */
  async writeUntilFailure(batchId: string) {
    for (let from = 0; ; from += 100) {
      await open().insertShards(batchId, someShards(from, from + 100));
      rounds++;
    }
  },
  ping: () => open().getBatch(null, "batch_0"),

  async acquire(directory: string, command: string) {
    lock ??= createExecutorLock({ directory, command });
    return await lock.acquire();
  },
  /** A second lock in this very process, as a second instance of the library makes it. */
  async acquireTwice(directory: string) {
    const twin = createExecutorLock({ directory, command: "twin" });
    const acquired = await twin.acquire();
    await twin.release();
    return acquired;
  },
  holder: async () => lock?.holder() ?? null,
  release: async () => lock?.release(),
  exists: async (path: string) => existsSync(path),
};

export type ControlOperations = typeof operations;

function open(): ControlStore {
  if (store === null) throw new Error("Cannot go on: no store is open");
  return store;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [number, operation, ...args]: [number, keyof ControlOperations, ...unknown[]] = JSON.parse(line);
  const call = operations[operation] as (...args: unknown[]) => Promise<unknown>;
  call(...args).then(
    (result) => answer({ number, result: result ?? null }),
    (error) => answer({ number, error: { name: error.name, code: error.code, message: error.message } }),
  );
}
process.exit(0);

function answer(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
