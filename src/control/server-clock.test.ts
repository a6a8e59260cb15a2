import { expect, test } from "vitest";
import { createServerClock } from "./server-clock.ts";

/** This process's clock, and the server's, which is 1,000,000 beyond it. */
function clocks() {
  let now = 0;
  const clock = createServerClock(() => now);
  return {
    clock,
    /** The server is asked; its answer comes after so long, of which half is the way there. */
    ask(tookMs: number, ahead = 1_000_000) {
      const asked = now;
      now += tookMs;
      clock.told({ asked, server: asked + tookMs / 2 + ahead });
    },
    /** How far the clock is behind a server's. */
    behind: (ahead = 1_000_000) => now + ahead - clock.now(),
    pass(ms: number) {
      now += ms;
    },
  };
}

test("the server's clock is never known to be later than it is", () => {
  const { ask, behind } = clocks();
  ask(20);
  expect(behind()).toBe(10);
});

test("an answer that was long on its way, or was read late, does not put the clock back", () => {
  const { ask, behind, pass } = clocks();
  ask(20);
  ask(60_000);
  expect(behind()).toBe(10);
  pass(200);
  ask(4);
  expect(behind()).toBe(2);
});

test("the clock follows a server whose own clock was set", () => {
  const { ask, behind } = clocks();
  ask(20);
  ask(20, 2_000_000);
  expect(behind(2_000_000)).toBe(10);
  ask(20, 1_000);
  expect(Math.abs(behind(1_000))).toBeLessThanOrEqual(10);
});
