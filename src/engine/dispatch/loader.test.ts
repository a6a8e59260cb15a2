import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { requestLines } from "../../../test/support/engine.ts";
import { NerifError } from "../../batch/errors.ts";
import type { ControlStore, NewShard, Shard } from "../../control/control-store.ts";
import { createMemoryFileStore } from "../../files/memory.ts";
import { createMemoryJournal } from "../../journal/memory.ts";
import { defaultSettings } from "../settings.ts";
import { validateInput } from "../validate.ts";
import type { Line } from "./line.ts";
import { createLoader } from "./loader.ts";
import type { ShardRun } from "./shard-run.ts";

test("what is not sent of a shard is given up once, also where no other can be leased", async () => {
  const { input, plan, shard } = await planOf(512);
  const clock = createTestClock();
  const leased = [[shard], null];
  const control = {
    leaseShards: async () => leased.shift() ?? Promise.reject(new Error("the database is away")),
  } as unknown as ControlStore;
  const lines: Line[] = [];
  const runs: ShardRun[] = [];
  const loader = createLoader({
    ...{ control, clock, journal: createMemoryJournal(), leaseMs: 12_000, heartbeatMs: 4_000 },
    ...{ alone: false, givenUp: new AbortController().signal },
    ...{ batchId: shard.batchId, version: 1, endpoint: null, model: null, holder: () => "h" },
    ...{ input, plan, followers: null, target: () => 1 },
    ...{ onSettled() {}, onDamage() {}, onAway() {}, mayFinish: async () => {} },
    onShard: (run) => runs.push(run),
    onLines: (more) => lines.push(...more),
  });
  await loader.fill();
  expect(lines.length).toBeLessThan(512);
  for (const line of lines) loader.taken(line);
  clock.advance(12_000);
  await expect(loader.fill()).rejects.toThrow("the database is away");
  await loader.halt();
  expect(runs[0]?.outstanding).toBe(lines.length);
});

test("a shard is handed on when the renewals of its opening are over, so that none comes after those of its run", async () => {
  const { input, plan, shard } = await planOf(2);
  const clock = createTestClock();
  const journal = createMemoryJournal();
  const [opening, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { create } = journal;
  journal.create = async (...segment) => {
    opening.resolve();
    await opened.promise;
    return create(...segment);
  };
  const renewed = Promise.withResolvers<boolean>();
  const control = {
    leaseShards: async () => [shard],
    renewLease: () => renewed.promise,
  } as unknown as ControlStore;
  const runs: ShardRun[] = [];
  const loader = createLoader({
    ...{ control, clock, journal, leaseMs: 12_000, heartbeatMs: 4_000 },
    ...{ alone: false, givenUp: new AbortController().signal },
    ...{ batchId: shard.batchId, version: 1, endpoint: null, model: null, holder: () => "h" },
    ...{ input, plan, followers: null, target: () => 1 },
    ...{ onSettled() {}, onDamage() {}, onAway() {}, mayFinish: async () => {} },
    onShard: (run) => runs.push(run),
    onLines() {},
  });
  const filled = loader.fill();
  await opening.promise;
  clock.advance(4_000);
  opened.resolve();
  for (let turns = 0; turns < 10; turns += 1) await setImmediate();
  expect(runs).toHaveLength(0);
  renewed.resolve(true);
  await filled;
  expect(runs).toHaveLength(1);
});

test("an input that cannot be read for a while is waited for, with what was read before", async () => {
  const { input, plan, shard } = await planOf(2);
  const clock = createTestClock();
  const control = { leaseShards: async () => [shard] } as unknown as ControlStore;
  const read = input.read.bind(input);
  const away = new NerifError("storage_unavailable", "Cannot read: the store is away");
  const failures = [away, away];
  const waits: number[] = [];
  const lines: Line[] = [];
  const loader = createLoader({
    ...{ control, clock, journal: createMemoryJournal(), leaseMs: 12_000, heartbeatMs: 4_000 },
    ...{ alone: false, givenUp: new AbortController().signal },
    ...{ batchId: shard.batchId, version: 1, endpoint: null, model: null, holder: () => "h" },
    ...{ plan, followers: null, target: () => 1 },
    ...{ onSettled() {}, onDamage() {}, mayFinish: async () => {}, onShard() {} },
    input: {
      ...input,
      bytes: input.bytes,
      read: async (...given) => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        return read(...given);
      },
    },
    onLines: (more) => lines.push(...more),
    onAway: (_, ms) => waits.push(ms),
  });
  const filled = loader.fill();
  for (const ms of [1_000, 2_000]) {
    while (waits.at(-1) !== ms) await setImmediate();
    clock.advance(ms);
  }
  await filled;
  expect(lines).toHaveLength(2);
});

test("a shard that cannot be opened for a while is waited for, and its lease renewed meanwhile", async () => {
  const { input, plan, shard } = await planOf(2);
  const clock = createTestClock();
  const journal = createMemoryJournal();
  const { create } = journal;
  const away = new NerifError("storage_unavailable", "Cannot read: the store is away");
  const failures = { plan: [away], journal: [away] };
  const read = plan.read.bind(plan);
  journal.create = async (...segment) => {
    const failure = failures.journal.shift();
    if (failure !== undefined) throw failure;
    return create(...segment);
  };
  let renewals = 0;
  const control = {
    leaseShards: async () => [shard],
    async renewLease() {
      renewals += 1;
      return true;
    },
  } as unknown as ControlStore;
  const waits: number[] = [];
  const lines: Line[] = [];
  const loader = createLoader({
    ...{ control, clock, journal, leaseMs: 12_000, heartbeatMs: 500 },
    ...{ alone: false, givenUp: new AbortController().signal },
    ...{ batchId: shard.batchId, version: 1, endpoint: null, model: null, holder: () => "h" },
    ...{ input, followers: null, target: () => 1 },
    ...{ onSettled() {}, onDamage() {}, mayFinish: async () => {}, onShard() {} },
    plan: {
      ...plan,
      bytes: plan.bytes,
      read: async (...given) => {
        const failure = failures.plan.shift();
        if (failure !== undefined) throw failure;
        return read(...given);
      },
    },
    onLines: (more) => lines.push(...more),
    onAway: (_, ms) => waits.push(ms),
  });
  const filled = loader.fill();
  for (const count of [1, 2]) {
    while (waits.length < count) await setImmediate();
    clock.advance(1_000);
  }
  await filled;
  expect(lines).toHaveLength(2);
  expect(renewals).toBeGreaterThan(0);
});

async function planOf(count: number) {
  const files = createMemoryFileStore();
  const writer = await files.create("input");
  await writer.write([Buffer.from(requestLines(count))]);
  await writer.commit();
  const input = await files.open("input");
  const shards: NewShard[] = [];
  await validateInput({
    ...{ input, files, planKey: "plan", settings: defaultSettings },
    onShards: async (some) => void shards.push(...some),
  });
  const shard = {
    ...{ ...shards[0], batchId: `batch_${"0".repeat(32)}`, state: "leased", epoch: 1, holder: "h" },
    ...{ segments: [], completed: 0, failed: 0, tokens: null },
  } as unknown as Shard;
  return { input, shard, plan: await files.open("plan") };
}
