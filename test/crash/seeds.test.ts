import { expect, test } from "vitest";
import { seedsOf } from "./seeds.ts";

const run = { commit: "abc", from: 0, seeds: 1_000, lives: 10, batches: 5, sends: 70, simulatedHours: 1.4 };

test("seeds of one commit are summed up, and those that failed are named", () => {
  const rows = seedsOf([
    { ...run, failures: [] },
    { ...run, failures: [17, 4] },
    { ...run, commit: "def", failures: [] },
  ]);
  expect(rows).toContain("| abc | 2,000 | 2: 17, 4 | 3 | 20 | 10 | 140 |");
  expect(rows).toContain("| def | 1,000 | none | 1 | 10 | 5 | 70 |");
});

test("of many that failed the first are named, and all are counted", () => {
  const failures = Array.from({ length: 30 }, (_, i) => i);
  expect(seedsOf([{ ...run, failures }])).toContainEqual(
    expect.stringContaining("| 30: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 18 more |"),
  );
});

test("where no seeds were run, nothing is said of them", () => {
  expect(seedsOf([])).toEqual([]);
});
