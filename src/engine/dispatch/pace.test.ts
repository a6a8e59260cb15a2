import { expect, test } from "vitest";
import { createPace, maxWaiting } from "./pace.ts";

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

test("a pace keeps to its share of the limit, and always allows one call", () => {
  let share = 0.5;
  const pace = createPace(4, () => share);
  pace.sent(10);
  pace.sent(10);
  expect(pace.hasRoom()).toBe(false);
  share = 1;
  expect(pace.hasRoom()).toBe(true);
  share = 0.1;
  pace.answered(10);
  pace.answered(10);
  expect(pace.hasRoom()).toBe(true);
});

test("at least 64 lines of a route may wait", () => {
  expect([maxWaiting(1), maxWaiting(64), maxWaiting(1000)]).toEqual([64, 128, 2000]);
});
