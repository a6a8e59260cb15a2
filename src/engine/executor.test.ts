import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../test/support/scripted-upstream.ts";
import { createSharedLock } from "../control/shared-lock.ts";
import { createMemoryJournal } from "../journal/memory.ts";

test("an engine runs batches before it has swept, and stops when it has", async () => {
  const swept = Promise.withResolvers<void>();
  const journal = createMemoryJournal();
  const fixture = await createEngineFixture(createScriptedUpstream(echo), {
    journal: {
      ...journal,
      // The first thing that a sweep asks for.
      async batches() {
        await swept.promise;
        return journal.batches();
      },
    },
  });
  const { id } = await fixture.addBatch(requestLines(3));
  await fixture.engine.start();
  expect(await fixture.until(id)).toMatchObject({ status: "completed" });

  let isStopped = false;
  const stopped = fixture.engine.stop(0).then(() => {
    isStopped = true;
  });
  await setImmediate();
  expect(isStopped).toBe(false);
  swept.resolve();
  await stopped;
});

test("an engine starts although it cannot sweep, and says so", async () => {
  const said: string[] = [];
  const log = { info() {}, warn() {}, error: (_: unknown, message: string) => void said.push(message) };
  const journal = { ...createMemoryJournal(), batches: () => Promise.reject(new Error("gone")) };
  const fixture = await createEngineFixture(createScriptedUpstream(echo), { journal, log });
  const { id } = await fixture.addBatch(requestLines(3));
  await fixture.engine.start();
  await fixture.until(id);
  expect(said).toEqual(["Cannot sweep; trying again later"]);
});

test("a batch that ran well for a while waits no longer than the first time when storage fails again", async () => {
  const waits: number[] = [];
  const log = {
    info() {},
    warn() {},
    error: (_: unknown, message: string) => void waits.push(Number(/again in (\d+) ms/.exec(message)?.[1])),
  };
  const clock = createTestClock();
  const held = Promise.withResolvers<void>();
  const upstream = createScriptedUpstream((call) => held.promise.then(() => echo(call)));
  const fixture = await createEngineFixture(upstream, { clock, log, lock: createSharedLock() });
  const { control } = fixture;
  const { getBatch, renewLease } = control;
  let isAway = true;
  const away = () => Promise.reject(new Error("the database is away"));
  control.getBatch = (...batch) => (isAway ? away() : getBatch(...batch));
  control.renewLease = (...lease) => (isAway ? away() : renewLease(...lease));
  async function outage({ after, until }: { after: number; until: number }): Promise<void> {
    isAway = true;
    clock.advance(after);
    for (;;) {
      const before = waits.length;
      while (waits.length === before) await setImmediate();
      if (waits.length === until) break;
      clock.advance(waits.at(-1) ?? 0);
    }
    isAway = false;
    clock.advance(waits.at(-1) ?? 0);
  }

  await fixture.engine.start();
  const { id } = await fixture.addBatch(requestLines(3));
  await outage({ after: 0, until: 3 });
  while (upstream.calls.length === 0) await setImmediate();
  // One beat after the other: a lease that had run out would be trouble too.
  for (let beats = 0; beats < 10; beats += 1) {
    clock.advance(4_000);
    for (let turns = 0; turns < 10; turns += 1) await setImmediate();
  }
  // The next beats fail, until the lease has run out.
  await outage({ after: 12_000, until: 5 });
  expect(waits).toEqual([1_000, 2_000, 4_000, 1_000, 2_000]);
  held.resolve();
  while ((await getBatch(null, id))?.status !== "completed") {
    clock.advance(1_000);
    await setImmediate();
  }
});

test("an engine that rests hands back what it runs, and goes on with it when it is started again", async () => {
  const held = Promise.withResolvers<void>();
  const upstream = createScriptedUpstream((call) => held.promise.then(() => echo(call)));
  const fixture = await createEngineFixture(upstream);
  const { engine } = fixture;
  await engine.start();
  const { id } = await fixture.addBatch(requestLines(3));
  while (upstream.calls.length < 3) await setImmediate();
  await engine.rest(0);
  expect(engine.running).toBe(false);
  expect(engine.progress(id)).toBeNull();
  expect(await fixture.control.openRoutes(id)).toMatchObject([{ shards: 1 }]);
  expect(await fixture.control.shardsInOrder(id, -1, 1)).toMatchObject([{ state: "open" }]);
  // Nothing is taken up meanwhile.
  const { id: later } = await fixture.addBatch(requestLines(1));
  for (let turns = 0; turns < 20; turns += 1) await setImmediate();
  expect(await fixture.get(later)).toMatchObject({ status: "validating" });

  held.resolve();
  expect(await engine.start()).toBe(true);
  for (const each of [id, later]) expect(await fixture.until(each)).toMatchObject({ status: "completed" });
});
