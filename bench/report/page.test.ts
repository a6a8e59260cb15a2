import { expect, it } from "vitest";
import { goal } from "./goal.ts";
import { pageOf, tableOf } from "./page.ts";
import type { Result } from "./results.ts";

const aim = { figure: "CPU of a / b", sense: "at most", bound: 2 } as const;

function result(changes: Partial<Result>): Result {
  return {
    name: "race",
    title: "A beside B",
    date: "2026-01-02",
    commit: "0123456789ab",
    machine: "a machine",
    upstream: "nginx/1",
    loadBefore: 0.5,
    minutes: 1.2,
    rounds: 2,
    contestants: [
      { name: "a", figures: { "CPU ms": { median: 1, min: 1, max: 1 } } },
      { name: "b", figures: { seconds: { median: 3, min: 2, max: 4 } } },
    ],
    goals: [goal(aim, [3])],
    skipped: [],
    ...changes,
  };
}

it("a table has a line for each goal of each row, and says which is not reached", () => {
  const other = result({ name: "other", goals: [goal(aim, [1]), goal({ ...aim, further: 1 }, [1.5])] });
  expect(tableOf([result({}), other]).slice(2)).toEqual([
    "| `race` | CPU of a / b | at most 2 | 3 | **no** |",
    "| `other` | CPU of a / b | at most 2 | 1 | yes |",
    "| `other` | CPU of a / b | at most 2, then 1 | 1.5 | the first |",
  ]);
});

it("a page names the rows that were not run and what was missing, and holds the notes", () => {
  const skipping = result({ skipped: ["wrk is missing"] });
  const page = pageOf([skipping], { names: ["race", "other"], notes: "## Where the time goes\n\nHere.\n" });
  expect(page).toContain("Not run for this page: `other`.");
  expect(page).toContain("- `race`: wrk is missing");
  expect(page).toContain("## Where the time goes\n\nHere.\n");
});

it("a section shows every figure of every contestant, and where it was measured", () => {
  const page = pageOf([result({})], { names: ["race"], notes: "" });
  expect(page).toContain("| | CPU ms | seconds |\n|---|---|---|\n| a | 1 | - |\n| b | - | 3 (2-4) |");
  expect(page).toContain(
    "`npm run bench -- --only race`: 2 rounds, 1.2 minutes on 2026-01-02, commit 0123456789ab, a machine; model server nginx/1; load 0.5 before it began.",
  );
  expect(page).not.toContain("Not run for this page");
});

it("a section of a row that could not be run is left out", () => {
  const page = pageOf([result({ contestants: [], skipped: ["too few files"] })], {
    names: ["race"],
    notes: "",
  });
  expect(page).not.toContain("### race");
  expect(page).toContain("- `race`: too few files");
});
