import { expect, test } from "vitest";
import { grown, growthOf } from "./flat.ts";

const minuteMs = 60_000;
const readings = (of: (minute: number) => number) =>
  Array.from({ length: 61 }, (_, minute) => ({ at: minute * minuteMs, value: of(minute) }));

test("growth of a straight line is its slope, without noise", () => {
  const growth = growthOf(readings((minute) => 100 + minute / 2));
  expect(growth.perHour).toBeCloseTo(30);
  expect(growth.whole).toBeCloseTo(30);
  expect(growth.noise).toBeCloseTo(0);
});

test("what swings about one value has not grown, what climbs has", () => {
  expect(
    grown(
      "it",
      readings((minute) => 100 + 40 * (minute % 2)),
      24,
    ),
  ).toBeNull();
  expect(
    grown(
      "it",
      readings((minute) => 100 + 40 * (minute % 2) + minute),
      24,
    ),
  ).toMatch(/^I10 it grew by/);
});

test("what climbs by less than the most is flat", () => {
  expect(
    grown(
      "it",
      readings((minute) => 100 + minute / 3),
      24,
    ),
  ).toBeNull();
});
