import { expect, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createPace, createPause, maxWaiting } from "./pace.ts";

test("a pace has room up to its limit and again after an answer", () => {
  const pace = createPace(2);
  pace.sent(10);
  expect(pace.hasRoom()).toBe(true);
  pace.sent(10);
  expect(pace.hasRoom()).toBe(false);
  pace.answered(10);
  expect([pace.inFlight, pace.hasRoom()]).toEqual([1, true]);
});

test("a pace holds back behind very large requests, yet always allows one", () => {
  const pace = createPace(64);
  expect(pace.hasRoom()).toBe(true);
  pace.sent(200 * 1024 * 1024);
  expect(pace.hasRoom()).toBe(false);
});

test("a pause ends by itself, the longest wish holds, and a mad one is cut to ten minutes", () => {
  const clock = createTestClock();
  const pause = createPause(clock);
  pause.until(5_000);
  pause.until(1_000);
  expect(pause.left()).toBe(5_000);
  clock.advance(5_000);
  expect(pause.left()).toBe(0);
  pause.until(1e12);
  expect(pause.left()).toBe(600_000);
});

test("at least 64 lines of a route may wait", () => {
  expect([maxWaiting(1), maxWaiting(64), maxWaiting(1000)]).toEqual([64, 128, 2000]);
});
