import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { fixedBounds } from "../../test/support/bounds.ts";
import { createTestClock } from "../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { echo } from "../../test/support/scripted-upstream.ts";
import { isFinal } from "../batch/lifecycle.ts";
import { createSharedLock } from "../control/shared-lock.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { createEngine } from "./executor.ts";

const lines = 100_000;
const concurrency = 128;
const latencyMs = 200;
/** A step of the clock, and turns of the event loop within it: what a database is asked takes longer than a moment. */
const stepMs = 10;
const turns = 8;

/** By a clock that moves when it is told, so that the machine that this runs on does not matter. */
test("four executors share a batch evenly, to its end, at 3.5 times the rate of one", async () => {
  const alone = await run(1);
  const together = await run(4);
  const shares = together.calls.map((calls) => calls / lines);
  console.log(
    `one: ${alone.seconds.toFixed(1)} s; four: ${together.seconds.toFixed(1)} s, calls ${together.calls.join(", ")}`,
  );
  expect(alone.seconds / together.seconds).toBeGreaterThan(3.5);
  expect(Math.min(...shares)).toBeGreaterThan(0.2);
});

/** @returns the time from the first to the last call, and how many calls each has made */
async function run(executors: number): Promise<{ seconds: number; calls: number[] }> {
  const clock = createTestClock();
  const due: { at: number; answer: () => void }[] = [];
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  const calls = Array.from({ length: executors }, () => 0);
  const upstreams = calls.map((_, nth) => timedUpstream(nth)) as [Upstream, ...Upstream[]];

  function timedUpstream(nth: number): Upstream {
    return {
      name: "timed",
      bounds: fixedBounds(concurrency),
      serves: () => true,
      send(call) {
        calls[nth] = (calls[nth] ?? 0) + 1;
        last = clock.monotonic();
        first = Math.min(first, last);
        due.push({ at: last + latencyMs, answer: () => call.onAnswer(echo(call)) });
      },
      models: () => Promise.resolve([]),
      close: () => Promise.resolve(),
    };
  }

  const fixture = await createEngineFixture(upstreams[0], { clock, lock: createSharedLock() });
  await fixture.engine.start();
  for (const upstream of upstreams.slice(1)) {
    const other = createEngine({ ...fixture.deps, pickUpstreams: () => [upstream] });
    onTestFinished(() => other.stop(0));
    await other.start();
  }
  const { id } = await fixture.addBatch(requestLines(lines));
  for (let step = 0; ; step += 1) {
    for (let left = turns; left > 0; left -= 1) await turn();
    clock.advance(stepMs);
    while ((due[0]?.at ?? Number.POSITIVE_INFINITY) <= clock.monotonic()) due.shift()?.answer();
    if (step % 50 === 0 && isFinal((await fixture.get(id)).status)) break;
  }
  expect(await fixture.get(id)).toMatchObject({ status: "completed", request_counts: { completed: lines } });
  return { seconds: (last - first) / 1_000, calls };
}
