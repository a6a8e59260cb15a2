import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../../test/support/engine.ts";
import { createScriptedUpstream, echo, fails } from "../../../test/support/scripted-upstream.ts";
import { NerifError } from "../../batch/errors.ts";
import { noTokens } from "../../batch/usage.ts";
import { createSharedLock } from "../../control/shared-lock.ts";
import { createMemoryJournal } from "../../journal/memory.ts";
import { holdLease } from "./held-lease.ts";

/** Longer than a lease. */
const tooLong = 12_500;

test("a lease is renewed while its shard is still being opened", async () => {
  const clock = createTestClock();
  const journal = createMemoryJournal();
  const [opening, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { create } = journal;
  journal.create = async (...options) => {
    opening.resolve();
    await opened.promise;
    return create(...options);
  };
  const fixture = await createEngineFixture(createScriptedUpstream(echo), { clock, journal });
  const { renewLease } = fixture.control;
  const renewed: boolean[] = [];
  fixture.control.renewLease = async (...lease) => {
    const held = await renewLease(...lease);
    renewed.push(held);
    return held;
  };
  await fixture.engine.start();
  const { id } = await fixture.addBatch(requestLines(3));
  await opening.promise;
  for (const before of [0, 1, 2]) {
    clock.advance(4_000);
    while (renewed.length === before) await turn();
  }
  opened.resolve();
  expect(await fixture.until(id)).toMatchObject({ status: "completed" });
  expect(renewed).toEqual([true, true, true]);
});

test.for([
  { lines: "new lines", first: echo },
  { lines: "lines that wait for another try", first: () => fails("unavailable") },
])("$lines of a shard are not sent when its lease may have run out", async ({ first }) => {
  const clock = createTestClock();
  const held = Promise.withResolvers<void>();
  let answered = 0;
  const upstream = createScriptedUpstream(async (call) => {
    await held.promise;
    answered += 1;
    // Not so many that it would be an outage.
    return answered <= 4 ? first(call) : echo(call);
  });
  const fixture = await createEngineFixture(upstream, { clock, lock: createSharedLock() });
  const { control } = fixture;
  const back = Promise.withResolvers<void>();
  const { renewLease, releaseShard } = control;
  control.renewLease = (...lease) => back.promise.then(() => renewLease(...lease));
  control.releaseShard = (...lease) => back.promise.then(() => releaseShard(...lease));
  await fixture.engine.start();
  const { id } = await fixture.addBatch(requestLines(20));
  while (upstream.calls.length < 8) await turn();
  clock.advance(tooLong);
  held.resolve();
  for (let turns = 0; turns < 50; turns += 1) await turn();
  clock.advance(1);
  expect(upstream.calls).toHaveLength(8);
  back.resolve();
  expect(await fixture.until(id)).toMatchObject({ status: "completed", request_counts: { completed: 20 } });
});

test("a renewal is not overtaken by the next one, and whoever lets go of a lease waits for it", async () => {
  const clock = createTestClock();
  const asked: PromiseWithResolvers<boolean>[] = [];
  const control = {
    renewLease() {
      const answer = Promise.withResolvers<boolean>();
      asked.push(answer);
      return answer.promise;
    },
  };
  const lease = { batchId: "batch_1", shard: 0, epoch: 1, completed: 0, failed: 0, tokens: noTokens() };
  const held = holdLease(lease, {
    ...{ control, clock, leaseMs: 12_000, heartbeatMs: 4_000, alone: false },
    since: clock.monotonic(),
  });
  const letGo = held.keep();
  clock.advance(4_000);
  clock.advance(4_000);
  expect(asked).toHaveLength(1);
  asked[0]?.resolve(true);
  await turn();
  clock.advance(4_000);
  expect(asked).toHaveLength(2);
  let isLetGo = false;
  const over = letGo().then(() => {
    isLetGo = true;
  });
  await turn();
  expect(isLetGo).toBe(false);
  asked[1]?.resolve(true);
  await over;
});

test.for([
  { what: "lapses for one executor among others", alone: false },
  { what: "does not lapse for the only executor of a data directory", alone: true },
])("a lease that cannot be renewed $what", async ({ alone }) => {
  const clock = createTestClock();
  const refusal = new NerifError("disk_full", "Cannot renew: the disk is full");
  const lease = { batchId: "batch_1", shard: 0, epoch: 1, completed: 0, failed: 0, tokens: noTokens() };
  const held = holdLease(lease, {
    ...{ control: { renewLease: () => Promise.reject(refusal) }, clock, alone },
    ...{ leaseMs: 12_000, heartbeatMs: 4_000, since: clock.monotonic() },
  });
  clock.advance(11_999);
  await expect(held.renew(lease)).rejects.toBe(refusal);
  expect(held.lapsed).toBe(false);
  clock.advance(1);
  expect(held.lapsed).toBe(!alone);
});
