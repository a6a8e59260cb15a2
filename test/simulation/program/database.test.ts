import { afterEach, expect, test, vi } from "vitest";
import { type Call, openDatabase } from "./database.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

test("a life that dies between two turns takes with it what its store had gathered", async () => {
  const database = await openDatabase();
  // Its next turn never comes: the world sees to that for those that are dead.
  vi.stubGlobal("setImmediate", () => {});
  finishShard(database.connect());
  vi.unstubAllGlobals();

  expect(await finishShard(database.connect())).toBe(false);
});

/** One that is not there. */
function finishShard(call: Call): Promise<unknown> {
  const tokens = { input: 0, cached: 0, output: 0, reasoning: 0, total: 0 };
  return call("finishShard", [
    { batchId: "batch_0", shard: 0, epoch: 1 },
    [],
    { completed: 0, failed: 0, tokens },
  ]);
}
