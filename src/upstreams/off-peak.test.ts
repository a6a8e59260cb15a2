import { expect, test } from "vitest";
import { parseTimeWindow } from "./off-peak.ts";

const everyDay = [0, 1, 2, 3, 4, 5, 6];

test.each([
  ["22:00-06:00", { days: everyDay, from: 1_320, minutes: 480 }],
  ["9:30-17:00", { days: everyDay, from: 570, minutes: 450 }],
  ["00:00-24:00", { days: everyDay, from: 0, minutes: 1_440 }],
  ["06:00-06:00", { days: everyDay, from: 360, minutes: 1_440 }],
  ["sat-sun", { days: [0, 6], from: 0, minutes: 1_440 }],
  [" Mon-Fri  20:00-07:00 ", { days: [1, 2, 3, 4, 5], from: 1_200, minutes: 660 }],
  ["mon,wed,fri-sat 00:00-08:00", { days: [1, 3, 5, 6], from: 0, minutes: 480 }],
  ["sun", { days: [0], from: 0, minutes: 1_440 }],
])("the window %j is read", (text, window) => {
  expect(parseTimeWindow(text)).toEqual(window);
});

test.each([
  "",
  "night",
  "22:00",
  "22-06",
  "22:00-25:00",
  "22:60-23:00",
  "24:00-06:00",
  "22:00-06:00-07:00",
  "mon-",
  "monday",
  "mon-wed-fri",
  "22:00-06:00 mon",
  "mon 22:00-06:00 x",
])("the window %j is refused", (text) => {
  expect(parseTimeWindow(text)).toBeNull();
});
