import { describe, expect, test } from "vitest";
import { createRandom } from "../../upstreams/simulator/random.ts";
import { createLatencyTarget, type LatencyTarget } from "./latency-target.ts";

/** Rounds of calls that are all sent at once, as many as are allowed, at most `learned`. */
function play(
  target: LatencyTarget,
  { rounds, from, learned, latency }: Played,
): { now: number; means: number[] } {
  let now = from;
  const means: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const limit = Math.min(target.most, learned);
    const sentAt = now + 1;
    const latencies = Array.from({ length: limit }, () => latency(limit));
    now = sentAt + Math.max(...latencies);
    for (const ms of latencies) target.answered(sentAt, sentAt + ms, { limit, wasFull: true });
    means.push(latencies.reduce((sum, ms) => sum + ms, 0) / limit);
  }
  return { now, means };
}

interface Played {
  rounds: number;
  from: number;
  learned: number;
  latency: (calls: number) => number;
}

describe("createLatencyTarget()", () => {
  test("allows any number while answers come in time", () => {
    const target = createLatencyTarget({ targetMs: 100, floor: 1 });
    play(target, { rounds: 20, from: 0, learned: 64, latency: () => 99 });
    expect(target.most).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([1, 2, 3])("keeps the mean below the target, and near it (seed %i)", (seed) => {
    const random = createRandom(seed);
    const target = createLatencyTarget({ targetMs: 500, floor: 1 });
    const latency = (calls: number) => 10 * calls * (0.8 + 0.4 * random());
    const { means } = play(target, { rounds: 60, from: 0, learned: 400, latency });
    const late = means.slice(10);
    expect(Math.max(...late)).toBeLessThan(550);
    expect(late.reduce((sum, mean) => sum + mean, 0) / late.length).toBeLessThan(500);
    expect(Math.min(...late)).toBeGreaterThan(400);
  });

  test("allows all again when others have gone", () => {
    const target = createLatencyTarget({ targetMs: 500, floor: 1 });
    const busy = play(target, { rounds: 10, from: 0, learned: 100, latency: (calls) => 50 * calls });
    expect(target.most).toBeLessThanOrEqual(10);
    play(target, { rounds: 40, from: busy.now, learned: 100, latency: (calls) => calls });
    expect(target.most).toBeGreaterThanOrEqual(100);
  });

  test("never goes below the floor, nor below half at once", () => {
    const target = createLatencyTarget({ targetMs: 1, floor: 3 });
    const seen: number[] = [];
    let now = 0;
    for (let round = 0; round < 4; round++) {
      now = play(target, { rounds: 1, from: now, learned: 16, latency: () => 1_000 }).now;
      seen.push(target.most);
    }
    expect(seen).toEqual([8, 4, 3, 3]);
  });

  test("counts one event once: calls from before the last step tell nothing new", () => {
    const target = createLatencyTarget({ targetMs: 100, floor: 1 });
    for (let call = 0; call < 64; call++) target.answered(0, 400, { limit: 32, wasFull: true });
    expect(target.most).toBe(16);
  });

  test("does not allow more when what is allowed is not used", () => {
    const target = createLatencyTarget({ targetMs: 100, floor: 1 });
    for (let call = 0; call < 32; call++) target.answered(0, 400, { limit: 32, wasFull: true });
    for (let call = 0; call < 640; call++) target.answered(500, 510, { limit: 16, wasFull: false });
    expect(target.most).toBe(16);
  });

  test("forgets after an outage", () => {
    const target = createLatencyTarget({ targetMs: 100, floor: 1 });
    for (let call = 0; call < 32; call++) target.answered(0, 400, { limit: 32, wasFull: true });
    target.restart(1_000);
    expect(target.most).toBe(Number.POSITIVE_INFINITY);
  });
});
