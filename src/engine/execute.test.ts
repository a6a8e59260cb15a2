import { expect, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo, fails } from "../../test/support/scripted-upstream.ts";
import type { Upstream } from "../upstreams/upstream.ts";

/** An engine on a clock of its own, whose troubles are noted. */
async function createNotedFixture(upstream: Upstream) {
  const clock = createTestClock();
  const problems: unknown[] = [];
  const onProblem = (_: string, error: unknown) => problems.push(error);
  return { ...(await createEngineFixture(upstream, { clock, onProblem })), clock, problems };
}

test("a heartbeat that comes after its shard was finished breaks nothing off", async () => {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const upstream = createScriptedUpstream(async (call) => {
    await (call.endpoint === "/v1/embeddings" ? first : second).promise;
    return echo(call);
  });
  const { clock, problems, ...fixture } = await createNotedFixture(upstream);
  const { control, engine } = fixture;
  const [finished, renewed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { finishShard, renewLease } = control;
  control.finishShard = async (...lease) => {
    const result = await finishShard(...lease);
    finished.resolve();
    return result;
  };
  control.renewLease = async (...lease) => {
    first.resolve();
    await finished.promise;
    const result = await renewLease(...lease);
    if (!result) renewed.resolve();
    return result;
  };

  const { id } = await fixture.addBatch(requestLines(2, (i) => (i === 0 ? { url: "/v1/embeddings" } : {})));
  await engine.start();
  while (upstream.calls.length < 2) await new Promise(setImmediate);
  clock.advance(5_000);
  await renewed.promise;
  await new Promise(setImmediate);
  second.resolve();
  while ((await fixture.get(id)).status !== "completed") await new Promise(setImmediate);
  expect(problems).toEqual([]);
  expect(upstream.calls).toHaveLength(2);
});

test("a heartbeat that fails is told, and breaks nothing off as long as the lease lasts", async () => {
  const held = Promise.withResolvers<void>();
  const upstream = createScriptedUpstream((call) => held.promise.then(() => echo(call)));
  const { clock, problems, ...fixture } = await createNotedFixture(upstream);
  const { control, engine } = fixture;
  const { renewLease } = control;
  let beats = 0;
  control.renewLease = (...lease) => {
    beats += 1;
    return beats === 1 ? Promise.reject(new Error("the disk is full")) : renewLease(...lease);
  };
  const { id } = await fixture.addBatch(requestLines(3));
  await engine.start();
  while (upstream.calls.length < 3) await new Promise(setImmediate);
  while (beats < 4) {
    clock.advance(4_000);
    for (let turns = 0; turns < 10; turns += 1) await new Promise(setImmediate);
  }
  held.resolve();
  while ((await fixture.get(id)).status !== "completed") await new Promise(setImmediate);
  expect(problems).toHaveLength(1);
  expect(upstream.calls).toHaveLength(3);
});

test("a line that only waited when the window closed runs on when the clock is set back", async () => {
  let answers = 0;
  const upstream = createScriptedUpstream((call) => {
    answers += 1;
    return answers === 1 ? fails("unavailable") : echo(call);
  });
  const clock = createTestClock();
  const fixture = await createEngineFixture(upstream, { clock, random: () => 1 });
  const { control, engine } = fixture;
  for (const name of ["finishShard", "releaseShard"] as const) {
    const change = control[name];
    control[name] = async (...lease) => {
      const result = await change(...lease);
      if (answers === 1) clock.jump(-60_000);
      return result;
    };
  }
  const expires_at = Math.floor(clock.now() / 1_000) + 30;
  const { id } = await fixture.addBatch(requestLines(1), { expires_at });
  await engine.start();
  while (engine.progress(id)?.routes[0]?.waiting !== 1) await new Promise(setImmediate);
  clock.jump(30_000);
  while ((await fixture.get(id)).completed_at === null) {
    clock.advance(100);
    await new Promise(setImmediate);
  }
  const batch = await fixture.get(id);
  expect(batch).toMatchObject({ status: "completed", request_counts: { total: 1, completed: 1, failed: 0 } });
  expect(batch.error_file_id).toBe(null);
});
