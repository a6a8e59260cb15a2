import { expect, test } from "vitest";
import { renderPage } from "./page.ts";
import type { SuiteResults } from "./results.ts";
import type { Row } from "./row.ts";
import { rowKey } from "./row.ts";
import { rows } from "./rows.ts";

const check = async () => {};

function results(...passed: Row[]): SuiteResults {
  return { version: "openai 1.2.3", rows: Object.fromEntries(passed.map((row) => [rowKey(row), "pass"])) };
}

test("the page shows per row what passed, and why something differs", () => {
  const plain: Row = { section: "1", title: "a | b", check };
  const python: Row = { section: "2.5", title: "c", check, only: "python", difference: "because" };
  const both = results(plain, python);
  const page = renderPage([plain, python], { node: results(plain), "node-previous": both, python: both });
  expect(page).toContain(
    "## 1 Calls\n\n| fact | Node | Python | remark |\n|---|---|---|---|\n| a \\| b | ✓ | ✓ |  |\n",
  );
  expect(page).toContain("| c |  | ✓ | **Differs.** because. Only Python's SDK |");
  expect(page).toContain("| shown by the Node SDK, `openai 1.2.3` | 1 |");
  expect(page).toContain("| deliberate differences, 1 of them shown as well | 1 |");
});

test("the page is refused when a row did not pass, or passed through one SDK only", () => {
  const row: Row = { section: "1", title: "a", check };
  for (const [node, python] of [
    [results(), results(row)],
    [results(row), results()],
  ] as const) {
    expect(() => renderPage([row], { node, "node-previous": results(row), python })).toThrow("1 a");
  }
});

test("every row has a check or a difference, and a name of its own", () => {
  expect(rows.filter((row) => row.check === undefined && row.difference === undefined)).toEqual([]);
  expect(new Set(rows.map(rowKey)).size).toBe(rows.length);
});
