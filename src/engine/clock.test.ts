import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createSystemClock } from "./clock.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const day = 86_400_000;

test("a wait that is longer than a timer can hold is as long as it was to be", () => {
  let calls = 0;
  createSystemClock().after(60 * day, () => {
    calls += 1;
  });
  vi.advanceTimersByTime(60 * day - 1);
  expect(calls).toBe(0);
  vi.advanceTimersByTime(1);
  expect(calls).toBe(1);
});

test("a wait without an end has none, and can be called off", () => {
  let calls = 0;
  const cancel = createSystemClock().after(Number.POSITIVE_INFINITY, () => {
    calls += 1;
  });
  vi.advanceTimersByTime(1_000 * day);
  expect(calls).toBe(0);
  cancel();
  expect(vi.getTimerCount()).toBe(0);
});
