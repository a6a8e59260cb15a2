import { describe, expect, test } from "vitest";
import { createLearnedRate } from "./learned-rate.ts";

/** Sends whenever it may until `end`; the upstream refuses what exceeds `perSecond` in a second. */
function run(rate: ReturnType<typeof createLearnedRate>, options: { perSecond: number; end: number }) {
  const taken = new Map<number, number>();
  let [sent, refused, now] = [0, 0, 0];
  while (now < options.end) {
    const wait = rate.waitMs(now);
    if (wait > 0) {
      now += Math.max(1, wait);
      continue;
    }
    sent += 1;
    rate.sent(now);
    const second = Math.floor(now / 1_000);
    const count = (taken.get(second) ?? 0) + 1;
    taken.set(second, count);
    if (count > options.perSecond) {
      refused += 1;
      rate.returned(now);
      rate.refused(now, now + 1, 1_000);
    } else {
      rate.returned(now);
      rate.served(now);
    }
    now += 2;
  }
  return { sent, refused };
}

describe("createLearnedRate()", () => {
  test("limits nothing until a refusal names a time", () => {
    const rate = createLearnedRate();
    for (let now = 0; now < 1_000; now++) {
      expect(rate.waitMs(now)).toBe(0);
      rate.sent(now);
    }
    expect(rate.perSecond).toBeNull();
  });

  test("measures nothing where nothing gets through", () => {
    const rate = createLearnedRate();
    for (let now = 0; now < 30_000; now += 1) {
      if (rate.waitMs(now) > 0) continue;
      rate.sent(now);
      rate.returned(now);
      rate.refused(now, now, 1_000);
    }
    expect(rate.perSecond).toBeNull();
    expect(rate.waitMs(30_000)).toBeLessThan(8_000);
  });

  test("keeps to the time that was named, however many calls were refused with it", () => {
    const rate = createLearnedRate();
    for (let now = 0; now < 100; now++) rate.sent(now);
    rate.refused(90, 100, 5_000);
    rate.refused(95, 101, 1_000);
    rate.refused(96, 102, 1_000);
    expect(rate.waitMs(110)).toBe(4_990);
  });

  test("finds a limit per second and keeps close below it", () => {
    const rate = createLearnedRate();
    const { sent, refused } = run(rate, { perSecond: 100, end: 60_000 });
    expect(refused).toBeLessThan(10);
    expect(sent).toBeGreaterThan(5_500);
  });

  test("rises to a limit that was raised", () => {
    const rate = createLearnedRate();
    run(rate, { perSecond: 20, end: 30_000 });
    const before = rate.perSecond ?? 0;
    for (let now = 30_000; now < 120_000; now++) if (rate.waitMs(now) === 0) rate.sent(now);
    expect(before).toBeLessThan(25);
    expect(rate.perSecond).toBeGreaterThan(100);
  });
});
