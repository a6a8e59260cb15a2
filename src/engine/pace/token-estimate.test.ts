import { expect, test } from "vitest";
import { createTokenEstimate } from "./token-estimate.ts";

test("an estimate begins with the bytes and comes close to what is reported, from above", () => {
  const estimate = createTokenEstimate();
  expect(estimate.of(4_000)).toBe(4_000);
  for (let i = 0; i < 100; i++) estimate.learn(4_000, { input: 1_000, output: 90 + (i % 20) });
  expect(estimate.of(4_000)).toBeGreaterThan(1_100);
  expect(estimate.of(4_000)).toBeLessThan(1_250);
});
