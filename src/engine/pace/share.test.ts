import { expect, test } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { createShare, isWithin } from "./share.ts";

const hour = 60;
const night = { days: [1, 2, 3, 4, 5], from: 22 * hour, minutes: 8 * hour };

test.each([
  [1, 21 * hour + 59, false],
  [1, 22 * hour, true],
  [2, 5 * hour + 59, true],
  [2, 6 * hour, false],
  // Begins on Friday and goes on into Saturday; on Sunday none begins.
  [6, 3 * hour, true],
  [6, 23 * hour, false],
  [1, 3 * hour, false],
])("on day %i at minute %i of the day a night of the week is on: %j", (day, minute, on) => {
  expect(isWithin([night], { day, minute })).toBe(on);
});

test("a window of a whole day ends with it", () => {
  const sunday = { days: [0], from: 0, minutes: 24 * hour };
  const on = [
    [0, 0],
    [0, 24 * hour - 1],
    [1, 0],
  ].map(([day = 0, minute = 0]) => isWithin([sunday], { day, minute }));
  expect(on).toEqual([true, true, false]);
});

test("a share is all within an off-peak window of local time, to the minute", () => {
  const offPeak = [{ days: [0, 1, 2, 3, 4, 5, 6], from: 22 * hour, minutes: 8 * hour }];
  const clock = createTestClock(new Date(2026, 0, 15, 21, 59, 59).getTime());
  const share = createShare({ maxShare: 0.25, offPeak }, clock);
  const seen = [share?.()];
  clock.advance(1_000);
  seen.push(share?.());
  clock.advance(8 * 3_600_000 - 1);
  seen.push(share?.());
  clock.advance(1);
  seen.push(share?.());
  expect(seen).toEqual([0.25, 1, 1, 0.25]);
});

test("there is none where all may be taken", () => {
  expect(createShare({ maxShare: 1, offPeak: [] }, createTestClock())).toBeNull();
});
