import { describe, expect, test } from "vitest";
import { createConcurrency } from "./concurrency.ts";
import { createYielding, type YieldingOptions } from "./yielding.ts";

function setup(options: Partial<YieldingOptions> = {}) {
  const all = { floor: 1, ceiling: 1_000, share: null, targetLatencyMs: null, ...options };
  const yielding = createYielding(createConcurrency(all), all);
  let now = 0;
  return {
    yielding,
    /** Rounds of as many calls as are allowed, until so much time has passed. @returns the limits of the rounds */
    play(ms: number, latency: (calls: number) => number): number[] {
      const limits: number[] = [];
      for (const end = now + ms; now < end; ) {
        const calls = yielding.limit;
        limits.push(calls);
        const sentAt = now + 10;
        now = sentAt + latency(calls);
        for (let call = 0; call < calls; call++) yielding.served(sentAt, now, true);
      }
      return limits;
    },
    refuse() {
      yielding.refused(now + 1, now + 2);
    },
    pass(ms: number) {
      now += ms;
      yielding.restart(now);
    },
  };
}

const slots = (count: number) => (calls: number) => 50 * Math.max(1, calls / count);

describe("createYielding()", () => {
  test("takes its share of what the upstream bears, and looks for it for little of the time", () => {
    const { yielding, play } = setup({ share: () => 0.5 });
    const first = play(10_000, slots(40));
    expect(Math.max(...first)).toBeGreaterThan(40);
    expect(yielding.limit).toBeGreaterThanOrEqual(16);
    expect(yielding.limit).toBeLessThanOrEqual(30);
    const later = play(300_000, slots(40));
    expect(later.filter((limit) => limit > 30).length / later.length).toBeLessThan(0.05);
    expect(Math.max(...later)).toBeGreaterThan(40);
  });

  test("follows when the upstream bears more", () => {
    const { yielding, play } = setup({ share: () => 0.5 });
    play(10_000, slots(40));
    play(300_000, slots(120));
    expect(yielding.limit).toBeGreaterThanOrEqual(50);
    expect(yielding.limit).toBeLessThanOrEqual(90);
  });

  test("takes all in the time of day for that, and its share at once afterwards", () => {
    let share = 0.25;
    const { yielding, play } = setup({ share: () => share });
    play(10_000, slots(40));
    expect(yielding.limit).toBeLessThanOrEqual(15);
    share = 1;
    play(10_000, slots(40));
    expect(yielding.limit).toBeGreaterThanOrEqual(36);
    share = 0.25;
    const limits = play(2_000, slots(40));
    expect(limits.at(-1)).toBeLessThanOrEqual(15);
  });

  test("takes its share of a fixed number from the first call on", () => {
    let share = 0.5;
    const { yielding, play } = setup({ floor: 64, ceiling: 64, share: () => share });
    expect(yielding.limit).toBe(32);
    expect(new Set(play(200_000, slots(40)))).toEqual(new Set([32]));
    share = 1;
    play(1_000, slots(40));
    expect(yielding.limit).toBe(64);
  });

  test("takes less when it is refused, whatever its share", () => {
    const { yielding, play, refuse } = setup({ share: () => 0.5 });
    play(10_000, slots(40));
    const before = yielding.limit;
    refuse();
    expect(yielding.limit).toBeLessThanOrEqual(before);
    expect(yielding.limit).toBeGreaterThanOrEqual(1);
  });

  test("always takes one call", () => {
    const { yielding, play } = setup({ share: () => 0.01 });
    play(30_000, slots(4));
    expect(yielding.limit).toBe(1);
  });

  test("keeps to a target for the latency, of a fixed number too", () => {
    for (const bounds of [{}, { floor: 64, ceiling: 64 }]) {
      const { yielding, play } = setup({ targetLatencyMs: 100, ...bounds });
      play(20_000, (calls) => 60 + 2 * calls);
      expect(yielding.limit).toBeGreaterThanOrEqual(16);
      expect(yielding.limit).toBeLessThanOrEqual(21);
      play(60_000, (calls) => 60 + calls / 4);
      expect(yielding.limit).toBeGreaterThanOrEqual(60);
    }
  });

  test("takes its share of what the target for the latency allows", () => {
    const { yielding, play } = setup({ share: () => 0.5, targetLatencyMs: 100 });
    play(30_000, (calls) => 60 + 2 * calls);
    expect(yielding.limit).toBeGreaterThanOrEqual(8);
    expect(yielding.limit).toBeLessThanOrEqual(11);
    const later = play(300_000, (calls) => 60 + 2 * calls);
    expect(later.filter((limit) => limit > 11).length / later.length).toBeLessThan(0.05);
    expect(Math.max(...later)).toBeLessThanOrEqual(22);
  });

  test("looks again after an outage", () => {
    const { yielding, play, pass } = setup({ share: () => 0.5 });
    play(10_000, slots(40));
    pass(60_000);
    expect(yielding.limit).toBe(4);
    expect(Math.max(...play(5_000, slots(40)))).toBeGreaterThan(40);
  });
});
