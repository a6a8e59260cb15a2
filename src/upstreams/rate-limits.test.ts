import { expect, test } from "vitest";
import { rateLimitsIn } from "./rate-limits.ts";

function headers(limit: string, remaining: string, reset: string) {
  return {
    "x-ratelimit-limit-requests": limit,
    "x-ratelimit-remaining-requests": remaining,
    "x-ratelimit-reset-requests": reset,
  };
}

test.each([
  ["6m0s", 360_000],
  ["20ms", 20],
  ["1.5s", 1_500],
  ["1h2m3s", 3_723_000],
  ["7m12.5s", 432_500],
  ["2", 2_000],
  ["0s", 0],
  ["900000000", 86_400_000],
])("a reset in %s is read as %d ms", (text, resetMs) => {
  expect(rateLimitsIn(headers("100", "40", text))).toEqual({
    requests: { limit: 100, remaining: 40, resetMs },
    tokens: null,
  });
});

test.each([
  ["100", "40", "soon"],
  ["100", "40", ""],
  ["100", "-1", "1s"],
  ["0", "0", "1s"],
  ["many", "40", "1s"],
])("limits that make no sense are passed over: %j %j %j", (...told) => {
  expect(rateLimitsIn(headers(...(told as [string, string, string])))).toBeUndefined();
});

test("an answer without such headers tells nothing, and one may tell of tokens alone", () => {
  expect(rateLimitsIn({ "content-type": "application/json" })).toBeUndefined();
  const tokens = {
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-tokens": "6ms",
  };
  expect(rateLimitsIn(tokens)).toEqual({
    requests: null,
    tokens: { limit: 150_000, remaining: 149_984, resetMs: 6 },
  });
});
