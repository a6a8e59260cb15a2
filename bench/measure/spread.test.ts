import { expect, it } from "vitest";
import { quantile, shown, spread } from "./spread.ts";

it("a spread has the middle value, or the mean of the two in the middle", () => {
  expect(spread([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9 });
  expect(spread([10, 2, 4, 1])).toEqual({ median: 3, min: 1, max: 10 });
  expect(spread([7])).toEqual({ median: 7, min: 7, max: 7 });
});

it("a quantile is the value with that share of all below it", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantile(values, 0.99)).toBe(100);
  expect(quantile(values, 0.5)).toBe(51);
  expect(quantile(values, 1)).toBe(100);
});

it("a spread is shown with three digits, and without a range when there is none", () => {
  expect(shown({ median: 1.23456, min: 1.2, max: 12_345.6 })).toBe("1.23 (1.2-12,346)");
  expect(shown({ median: 0.98765, min: 0.98765, max: 0.98765 })).toBe("0.988");
});
