import { describe, expect, test } from "vitest";
import { type Concurrency, createConcurrency } from "./concurrency.ts";

/** Lets rounds of calls pass that are all sent at once and come back after `latency(calls)` milliseconds. */
function play(
  concurrency: Concurrency,
  { rounds, from = 0, latency }: { rounds: number; from?: number; latency: (calls: number) => number },
): number {
  let now = from;
  for (let i = 0; i < rounds; i++) {
    const calls = concurrency.limit;
    // Just behind the beginning of a round, which lets calls pass that were sent at once.
    const sentAt = now + 10;
    now = sentAt + latency(calls);
    for (let call = 0; call < calls; call++) concurrency.served(sentAt, now, true);
  }
  return now;
}

const slots = (count: number) => (calls: number) => 50 * Math.max(1, calls / count);

describe("createConcurrency()", () => {
  test("doubles each round trip as long as answers come as fast as before", () => {
    const concurrency = createConcurrency({ floor: 1, ceiling: 1_000 });
    const seen = [concurrency.limit];
    for (let i = 0; i < 4; i++) {
      play(concurrency, { rounds: 1, from: i * 60, latency: () => 50 });
      seen.push(concurrency.limit);
    }
    expect(seen).toEqual([4, 8, 16, 32, 64]);
  });

  test("finds about the slots of an upstream, and more or fewer when they change", () => {
    const concurrency = createConcurrency({ floor: 1, ceiling: 1_000 });
    let now = play(concurrency, { rounds: 60, latency: slots(40) });
    expect(concurrency.limit).toBeGreaterThanOrEqual(36);
    expect(concurrency.limit).toBeLessThanOrEqual(80);
    now = play(concurrency, { rounds: 40, from: now, latency: slots(10) });
    expect(concurrency.limit).toBeLessThanOrEqual(20);
    play(concurrency, { rounds: 100, from: now, latency: slots(200) });
    expect(concurrency.limit).toBeGreaterThanOrEqual(160);
  });

  test("does not take requests that have become longer for an upstream that is full", () => {
    const concurrency = createConcurrency({ floor: 1, ceiling: 64 });
    const now = play(concurrency, { rounds: 10, latency: () => 50 });
    expect(concurrency.limit).toBe(64);
    play(concurrency, { rounds: 20, from: now, latency: () => 500 });
    expect(concurrency.limit).toBe(64);
  });

  test("is generous where answers come within 10 ms, however many there are", () => {
    const concurrency = createConcurrency({ floor: 1, ceiling: 1_000 });
    play(concurrency, { rounds: 60, latency: (calls) => 0.1 * calls });
    expect(concurrency.limit).toBeGreaterThan(64);
    expect(concurrency.limit).toBeLessThan(200);
  });

  test("backs off once per event: calls that began before count for nothing", () => {
    const concurrency = createConcurrency({ floor: 1, ceiling: 1_000 });
    const now = play(concurrency, { rounds: 3, latency: () => 50 });
    expect(concurrency.limit).toBe(32);
    for (let call = 0; call < 32; call++) concurrency.refused(now + 10, now + 12);
    expect(concurrency.limit).toBe(16);
    concurrency.refused(now + 13, now + 15);
    expect(concurrency.limit).toBe(11);
  });

  test("climbs again in ever larger steps after a refusal", () => {
    const concurrency = createConcurrency({ floor: 1, ceiling: 1_000 });
    const now = play(concurrency, { rounds: 3, latency: () => 50 });
    concurrency.refused(now + 10, now + 12);
    play(concurrency, { rounds: 16, from: now + 3_000, latency: () => 50 });
    expect(concurrency.limit).toBeGreaterThan(64);
  });

  test("lowers the limit when most calls break, and leaves it when a few do", () => {
    const concurrency = createConcurrency({ floor: 1, ceiling: 1_000 });
    const now = play(concurrency, { rounds: 3, latency: () => 50 });
    for (let call = 0; call < 15; call++) concurrency.failed(now + 10, now + 20);
    expect(concurrency.limit).toBe(32);
    for (let call = 0; call < 15; call++) concurrency.failed(now + 10, now + 20);
    expect(concurrency.limit).toBe(22);
  });

  test("keeps within floor and ceiling, and a limit that is fixed stays", () => {
    const fixed = createConcurrency({ floor: 7, ceiling: 7 });
    play(fixed, { rounds: 20, latency: slots(2) });
    fixed.refused(1e9, 1e9 + 1);
    fixed.restart(2e9);
    expect(fixed.limit).toBe(7);
    const bounded = createConcurrency({ floor: 6, ceiling: 20 });
    expect(bounded.limit).toBe(6);
    play(bounded, { rounds: 20, latency: () => 50 });
    expect(bounded.limit).toBe(20);
    for (let event = 0; event < 20; event++) bounded.refused(1e9 + 10 * event, 1e9 + 10 * event + 1);
    expect(bounded.limit).toBe(6);
  });

  test("learns nothing from answers that came while there was not enough to send", () => {
    const concurrency = createConcurrency({ floor: 1, ceiling: 1_000 });
    for (let call = 0; call < 200; call++) concurrency.served(call * 10, call * 10 + 5, false);
    expect(concurrency.limit).toBe(4);
  });
});
