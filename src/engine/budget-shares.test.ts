import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createSharedLock } from "../control/shared-lock.ts";
import { openSqliteControlStore } from "../control/sqlite.ts";
import { createBudgetShares } from "./budget-shares.ts";
import { silentLogger } from "./deps.ts";
import { createBudget } from "./pace/budget.ts";

const perMinute = 6_000;

test("processes that come, stop and go on spend what is configured together, and never more in any minute", async () => {
  const { clock, spender } = await aStore();
  const spent: { at: number; cost: number }[] = [];
  const [a, b, c] = [spender("a"), spender("b"), spender("c")];

  /** Lets so many seconds pass in which these spend all that they may. */
  async function pass(seconds: number, spenders: ReturnType<typeof spender>[]): Promise<number> {
    const before = spent.length;
    for (let step = 0; step < 10 * seconds; step += 1) {
      for (const { budget } of spenders) {
        while (budget.waitMs(clock.monotonic(), 1) === 0) {
          budget.spend(clock.monotonic(), 1);
          spent.push({ at: clock.monotonic(), cost: 1 });
        }
      }
      clock.advance(100);
      await turn();
    }
    return spent.length - before;
  }

  await pass(70, [a]);
  expect(await pass(60, [a])).toBeGreaterThan(0.95 * perMinute);
  await pass(70, [a, b, c]);
  expect(await pass(60, [a, b, c])).toBeGreaterThan(0.95 * perMinute);
  // One stops, another one has nothing more to do.
  await a.shares.stop();
  await pass(140, [b]);
  expect(await pass(60, [b])).toBeGreaterThan(0.95 * perMinute);

  let from = 0;
  let sum = 0;
  let most = 0;
  for (const { at, cost } of spent) {
    sum += cost;
    while ((spent[from]?.at ?? 0) <= at - 60_000) sum -= spent[from++]?.cost ?? 0;
    most = Math.max(most, sum);
  }
  expect(most).toBeLessThanOrEqual(perMinute);
});

async function aStore() {
  const directory = mkdtempSync(join(tmpdir(), "nerif-shares-"));
  const clock = createTestClock();
  const path = join(directory, "nerif.db");
  const control = await openSqliteControlStore({ path, leaseClock: clock.monotonic });
  onTestFinished(async () => {
    await control.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    clock,
    spender(holder: string) {
      const common = { control, clock, lock: createSharedLock(), log: silentLogger };
      const shares = createBudgetShares({ ...common, holder });
      return { shares, budget: createBudget(perMinute, shares.of("local")) };
    },
  };
}
