import { describe, expect, test } from "vitest";
import { createRandom } from "../../upstreams/simulator/random.ts";
import { createBudget } from "./budget.ts";

describe("createBudget()", () => {
  test.each([1, 2, 3])(
    "spends at least 95 %% of the budget and never more in any minute (seed %i)",
    (seed) => {
      const random = createRandom(seed);
      const budget = createBudget(10_000);
      const spent: { at: number; cost: number }[] = [];
      for (let now = 0; now < 300_000; ) {
        const cost = 1 + Math.floor(random() * 200);
        const wait = budget.waitMs(now, cost);
        if (wait > 0) {
          now += Math.max(1, wait);
          continue;
        }
        budget.spend(now, cost);
        // Half of them turn out to be cheaper, a while later.
        const real = random() < 0.5 ? cost : Math.ceil(cost / 2);
        if (real < cost) budget.correct(now, now, real - cost);
        spent.push({ at: now, cost: real });
        now += random() * 5;
      }
      for (const { at } of spent) {
        const minute = spent.filter((other) => other.at <= at && other.at > at - 60_000);
        expect(minute.reduce((sum, { cost }) => sum + cost, 0)).toBeLessThanOrEqual(10_000);
      }
      expect(spent.reduce((sum, { cost }) => sum + cost, 0) / 5).toBeGreaterThan(9_500);
    },
  );

  test("lets what is larger than the whole budget through alone, and then nothing for a minute", () => {
    const budget = createBudget(100);
    expect(budget.waitMs(0, 1_000)).toBe(0);
    budget.spend(0, 1_000);
    let now = 1;
    for (let wait = budget.waitMs(now, 1); wait > 0; wait = budget.waitMs(now, 1)) now += wait;
    expect(now).toBeGreaterThan(60_000);
  });

  test("forgets a minute after a long rest", () => {
    const budget = createBudget(100);
    for (let i = 0; i < 3; i++) budget.spend(0, 1);
    expect(budget.waitMs(10 * 60_000, 3)).toBe(0);
  });
});
