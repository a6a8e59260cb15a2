import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { aWebhookEndpoint } from "../../test/support/control-rows.ts";
import { createEngineFixture, type EngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo, type ScriptedUpstream } from "../../test/support/scripted-upstream.ts";
import { advance } from "../batch/lifecycle.ts";
import type { ControlStore, Shard } from "../control/control-store.ts";
import { createSharedLock } from "../control/shared-lock.ts";
import { createMemoryJournal } from "../journal/memory.ts";
import type { WebhookSender } from "../webhooks/sender.ts";
import { type Clock, createSystemClock } from "./clock.ts";
import type { EngineDeps } from "./deps.ts";
import { createEngine } from "./executor.ts";

const shardLines = 512;
/** How long an engine waits until it looks whether others have left something. */
const lookMs = 2_000;

test("two executors run one batch together: each line is sent once, and validated by one of them", async () => {
  const both = Promise.withResolvers<void>();
  const answer: Parameters<typeof createScriptedUpstream>[0] = async (call) => {
    if (upstreams.every(({ calls }) => calls.length > 0)) both.resolve();
    // Neither is through before the other has begun.
    await both.promise;
    return echo(call);
  };
  const upstreams = [createScriptedUpstream(answer), createScriptedUpstream(answer)] as const;
  const fixture = await twoExecutors(upstreams);
  const plans = countPlans(fixture);
  const lines = 8 * shardLines;
  const { id } = await fixture.addBatch(requestLines(lines));
  const batch = await fixture.until(id);
  expect(batch).toMatchObject({ status: "completed", request_counts: { total: lines, completed: lines } });
  const written = await fixture.lines(batch.output_file_id);
  expect(written.map((line) => line.custom_id)).toEqual(Array.from({ length: lines }, (_, i) => `r${i}`));
  expect(upstreams[0].calls.length + upstreams[1].calls.length).toBe(lines);
  expect(Math.min(...upstreams.map(({ calls }) => calls.length))).toBeGreaterThan(0);
  expect(plans).toEqual([`${id}.plan`]);
});

test("a cancel reaches all executors, and what each of them still gets answered is in the files", async () => {
  const [early, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const held = (until: Promise<void>) => createScriptedUpstream((call) => until.then(() => echo(call)));
  const upstreams = [held(early.promise), held(late.promise)] as const;
  const fixture = await twoExecutors(upstreams);
  const lines = 4 * shardLines;
  const { id } = await fixture.addBatch(requestLines(lines));
  // Each has as many in flight as it may.
  while (upstreams.some(({ calls }) => calls.length < 8)) await turn();
  const batch = await fixture.get(id);
  const patch = advance(batch, { type: "cancel" }, Math.floor(Date.now() / 1_000));
  await fixture.control.updateBatch(id, batch.version, patch ?? {});
  early.resolve();
  // One of them has ended it as far as it can, and waits for the shard of the other.
  await fixture.until(id, ({ ending }) => ending === "cancelled");
  late.resolve();
  const cancelled = await fixture.until(id);
  expect(cancelled).toMatchObject({ status: "cancelled", request_counts: { total: lines } });
  const output = await fixture.lines(cancelled.output_file_id);
  const errors = await fixture.lines(cancelled.error_file_id);
  // All that was sent, by either of them; the first may have gone on until it had seen the cancel.
  expect(output).toHaveLength(upstreams[0].calls.length + upstreams[1].calls.length);
  expect(upstreams[1].calls).toHaveLength(8);
  expect(output.length).toBeLessThan(lines);
  expect(cancelled.request_counts.completed).toBe(output.length);
  expect(errors.every(({ error }) => error?.code === "batch_cancelled")).toBe(true);
  const ids = new Set([...output, ...errors].map((line) => line.custom_id));
  expect([output.length + errors.length, ids.size]).toEqual([lines, lines]);
});

test("one of two executors delivers an event, once, and the other does when the first has stopped", async () => {
  const sent: string[] = [];
  const sender: WebhookSender = {
    refusal: () => Promise.resolve(null),
    async send({ id }) {
      sent.push(id);
      return { status: 200 };
    },
  };
  const upstream = createScriptedUpstream(echo);
  const fixture = await twoExecutors([upstream, upstream], { sender });
  await fixture.control.insertWebhookEndpoint(aWebhookEndpoint(), 10);
  await fixture.until((await fixture.addBatch(requestLines(3))).id);
  await undelivered(fixture, 0);
  expect(sent).toHaveLength(1);
  await fixture.engine.stop(0);
  await fixture.until((await fixture.addBatch(requestLines(3))).id);
  await undelivered(fixture, 0);
  expect(sent).toHaveLength(2);
});

test("an executor that waits for the shard of another lets go of a batch that the other has ended", async () => {
  const held = Promise.withResolvers<void>();
  const upstream = createScriptedUpstream((call) => held.promise.then(() => echo(call)));
  const fixture = await createEngineFixture(upstream, { lock: createSharedLock() });
  await fixture.engine.start();
  // One shard, which the first has; the second finds nothing to lease, and looks again from time to time.
  const { id } = await fixture.addBatch(requestLines(4));
  while (upstream.calls.length < 4) await turn();
  const other = createEngine({ ...fixture.deps, pickUpstreams: () => [upstream] });
  onTestFinished(() => other.stop(0));
  await other.start();
  while (other.progress(id) === null) await turn();
  const batch = await fixture.get(id);
  const patch = advance(batch, { type: "cancel" }, Math.floor(Date.now() / 1_000));
  await fixture.control.updateBatch(id, batch.version, patch ?? {});
  held.resolve();
  fixture.engine.wake();
  expect(await fixture.until(id)).toMatchObject({ status: "cancelled" });
  while (other.progress(id) !== null) await turn();
});

test("an executor that stood still before it leased gets nothing of a batch that another has ended meanwhile", async () => {
  const standing = Promise.withResolvers<void>();
  const goesOn = Promise.withResolvers<void>();
  const leased = Promise.withResolvers<Shard[]>();
  const upstream = createScriptedUpstream(echo);
  const fixture = await createEngineFixture(upstream, { lock: createSharedLock() });
  const control: ControlStore = {
    ...fixture.control,
    async leaseShards(request) {
      standing.resolve();
      await goesOn.promise;
      const shards = await fixture.control.leaseShards(request);
      leased.resolve(shards);
      return shards;
    },
  };
  const late = createEngine({ ...fixture.deps, control });
  onTestFinished(() => late.stop(0));
  await late.start();
  const { id } = await fixture.addBatch(requestLines(4));
  late.wake();
  await standing.promise;
  const batch = await fixture.get(id);
  const patch = advance(batch, { type: "cancel" }, Math.floor(Date.now() / 1_000));
  await fixture.control.updateBatch(id, batch.version, patch ?? {});
  await fixture.engine.start();
  const cancelled = await fixture.until(id);
  goesOn.resolve();
  // What it would get, and have answered, could be shown as a result, and the files that are written have none of it.
  expect(await leased.promise).toEqual([]);
  expect(await fixture.lines(cancelled.error_file_id)).toHaveLength(4);
  expect(upstream.calls).toEqual([]);
});

test("shards whose lease came about after its answer was given up run when that lease is over", async () => {
  const upstream = createScriptedUpstream(echo);
  const system = createSystemClock();
  const clock: Clock = { ...system, after: (ms, callback) => system.after(ms === lookMs ? 1 : ms, callback) };
  const fixture = await createEngineFixture(upstream, { lock: createSharedLock(), clock });
  let unknown: Shard[] | null = null;
  const control: ControlStore = {
    ...fixture.control,
    async leaseShards(request) {
      // As a database does that carries out what was asked for when nobody waits for the answer any more.
      unknown ??= await fixture.control.leaseShards(request);
      return fixture.control.leaseShards(request);
    },
    async heldBatches(batches) {
      fixture.letLeasesRunOut();
      return fixture.control.heldBatches(batches);
    },
  };
  const engine = createEngine({ ...fixture.deps, control });
  onTestFinished(() => engine.stop(0));
  await engine.start();
  const { id } = await fixture.addBatch(requestLines(2 * shardLines));
  engine.wake();
  const batch = await fixture.until(id);
  expect(unknown).toHaveLength(1);
  expect(batch.request_counts).toEqual({ total: 2 * shardLines, completed: 2 * shardLines, failed: 0 });
  expect(upstream.calls).toHaveLength(2 * shardLines);
});

test("a stop whose time is over does not wait for a journal that takes nothing", async () => {
  const journal = createMemoryJournal();
  const upstream = createScriptedUpstream((call) => {
    journal.setFull(true);
    return echo(call);
  });
  const fixture = await createEngineFixture(upstream, { journal });
  await fixture.engine.start();
  const { id } = await fixture.addBatch(requestLines(4));
  while (fixture.engine.progress(id)?.inFlight !== 0 || journal.unflushedBytes === 0) await turn();
  await fixture.engine.stop(0);
  expect(await fixture.get(id)).toMatchObject({ status: "in_progress", request_counts: { completed: 0 } });
});

/** Fixture and its engine, with a second engine on the same stores. */
async function twoExecutors(
  [first, second]: readonly [ScriptedUpstream, ScriptedUpstream],
  overrides: Partial<EngineDeps> = {},
): Promise<EngineFixture> {
  const fixture = await createEngineFixture(first, { lock: createSharedLock(), ...overrides });
  const other = createEngine({ ...fixture.deps, pickUpstreams: () => [second] });
  onTestFinished(() => other.stop(0));
  await fixture.engine.start();
  await other.start();
  return fixture;
}

/** The plans that are written from now on. */
function countPlans({ files }: EngineFixture): string[] {
  const plans: string[] = [];
  const { create } = files;
  files.create = (key) => {
    if (key.endsWith(".plan")) plans.push(key);
    return create(key);
  };
  return plans;
}

async function undelivered({ control }: EngineFixture, count: number): Promise<void> {
  const query = { limit: 10, exceptEndpoints: [], except: [] };
  while ((await control.nextDeliveries(query)).length !== count) await turn();
}
