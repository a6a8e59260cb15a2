import type { Clock } from "../../src/engine/clock.ts";

export interface TestClock extends Clock {
  /** Lets time pass and calls what is due, in order. The wall clock follows. */
  advance(ms: number): void;
  /** Lets the wall clock jump, and nothing else. */
  jump(ms: number): void;
}

/** A clock that stands still unless it is told. */
export function createTestClock(startMs = 1_795_300_000_000): TestClock {
  let wall = startMs;
  let passed = 0;
  let timers: { at: number; callback: () => void }[] = [];
  return {
    now: () => wall,
    monotonic: () => passed,
    after(ms, callback) {
      const timer = { at: passed + ms, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(ms) {
      const end = passed + ms;
      for (;;) {
        const due = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers = timers.filter((other) => other !== due);
        wall += Math.max(0, due.at - passed);
        passed = Math.max(passed, due.at);
        due.callback();
      }
      wall += end - passed;
      passed = end;
    },
    jump(ms) {
      wall += ms;
    },
  };
}
