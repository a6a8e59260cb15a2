import { expect, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../test/support/scripted-upstream.ts";

test("a heartbeat that comes after its shard was finished breaks nothing off", async () => {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const upstream = createScriptedUpstream(async (call) => {
    await (call.endpoint === "/v1/embeddings" ? first : second).promise;
    return echo(call);
  });
  const clock = createTestClock();
  const problems: unknown[] = [];
  const fixture = await createEngineFixture(upstream, {
    clock,
    onProblem: (_, error) => problems.push(error),
  });
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
