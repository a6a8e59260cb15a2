import { describe, expect, it } from "vitest";
import { createRateMeter } from "./rate-meter.ts";

describe("createRateMeter()", () => {
  it("tells no rate before it can", () => {
    const rate = createRateMeter();
    expect(rate(10, 0)).toBeNull();
    expect(rate(20, 499)).toBeNull();
    expect(rate(20, 500)).toBe(20);
  });

  it("takes the rate over the latest half minute only", () => {
    const rate = createRateMeter();
    rate(0, 0);
    expect(rate(100, 1_000)).toBe(100);
    for (let second = 2; second < 30; second += 1) rate(100, second * 1_000);
    expect(rate(100, 30_000)).toBeCloseTo(100 / 30);
    expect(rate(100, 31_000)).toBe(0);
  });

  it("does not count what was done before it began", () => {
    const rate = createRateMeter();
    rate(900, 0);
    expect(rate(910, 1_000)).toBe(10);
  });

  it("is the same however often it is asked", () => {
    const [seldom, often] = [createRateMeter(), createRateMeter()];
    let last: number | null = null;
    for (let now = 0; now <= 100_000; now += 1) last = often(now / 10, now);
    for (let now = 0; now <= 100_000; now += 5_000) seldom(now / 10, now);
    expect(last).toBeCloseTo(100);
    expect(seldom(10_000, 100_000)).toBeCloseTo(100);
  });
});
