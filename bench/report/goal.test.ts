import { expect, it } from "vitest";
import { aimOf, goal, measuredOf, verdict } from "./goal.ts";

const atMost = { figure: "cost", sense: "at most", bound: 2, further: 1.7 } as const;
const atLeast = { figure: "speed", sense: "at least", bound: 1_500, unit: "lines" } as const;

it.each([
  { values: [1.7], reached: "yes" },
  { values: [1.71], reached: "the first" },
  { values: [2], reached: "the first" },
  { values: [2.001], reached: "no" },
  { values: [1, 5, 1.5], reached: "yes" },
  { values: [Number.NaN], reached: "no" },
])("a goal that is an upper bound is reached by the median of $values: $reached", ({ values, reached }) => {
  expect(verdict(goal(atMost, values))).toBe(reached);
});

it.each([
  { values: [1_500], reached: "yes" },
  { values: [1_499.9], reached: "no" },
  { values: [], reached: "no" },
])("a goal that is a lower bound is reached by the median of $values: $reached", ({ values, reached }) => {
  expect(verdict(goal(atLeast, values))).toBe(reached);
});

it("a goal is shown with its further bound and its unit", () => {
  expect(aimOf(goal(atMost, [1]))).toBe("at most 2, then 1.7");
  expect(aimOf(goal(atLeast, [1]))).toBe("at least 1,500 lines");
  expect(measuredOf(goal(atLeast, [1_600, 1_700, 1_800]))).toBe("1,700 (1,600-1,800) lines");
});
