import { describe, expect, test } from "vitest";
import { scenarios } from "./scenarios.ts";
import { simulate } from "./simulate.ts";

describe("in simulated time the pace reaches", () => {
  for (const scenario of scenarios()) {
    test.each([1, 2, 3])(`${scenario.name}: ${scenario.reach} (seed %i)`, (seed) => {
      const { figures, reached } = scenario.judge(simulate(scenario, seed));
      expect({ figures, reached }).toEqual({ figures, reached: true });
    });
  }
});
