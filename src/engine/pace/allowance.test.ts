import { expect, test } from "vitest";
import { createAllowance } from "./allowance.ts";

test("an allowance limits nothing until an answer tells of one", () => {
  const allowance = createAllowance();
  allowance.spend(0, 1_000);
  expect(allowance.waitMs(0, 1e9)).toBe(0);
});

test("an allowance is spent, and fills as fast as the upstream's own", () => {
  const allowance = createAllowance();
  // 60 of 100 are gone and will be back in 6 s: 10 a second.
  allowance.told({ limit: 100, remaining: 40, resetMs: 6_000 }, 1_000, 35);
  for (let i = 0; i < 5; i++) {
    expect(allowance.waitMs(1_000, 1)).toBe(0);
    allowance.spend(1_000, 1);
  }
  expect(allowance.waitMs(1_000, 1)).toBeCloseTo(100);
  expect(allowance.waitMs(1_100, 1)).toBe(0);
});

test("an allowance lets a call that is larger than all of it through when it is full, and is forgotten in time", () => {
  const allowance = createAllowance();
  allowance.told({ limit: 100, remaining: 100, resetMs: 0 }, 0, 0);
  expect(allowance.waitMs(0, 500)).toBe(0);
  allowance.told({ limit: 100, remaining: 0, resetMs: 60_000 }, 0, 0);
  expect(allowance.waitMs(0, 1)).toBeGreaterThan(0);
  expect(allowance.waitMs(60_000, 100)).toBe(0);
});
