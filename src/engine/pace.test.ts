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

test("at least 64 lines of a route may wait", () => {
  expect([maxWaiting(1), maxWaiting(64), maxWaiting(1000)]).toEqual([64, 128, 2000]);
});
