import type { SuiteName, SuiteResults } from "./results.ts";
import { type Row, rowKey } from "./row.ts";

/** The headings of the page, in its order. */
const headings: readonly (readonly [section: string, heading: string])[] = [
  ["1", "Calls"],
  ["2.1", "JSON"],
  ["2.2", "Errors"],
  ["2.3", "Headers"],
  ["2.4", "Ids"],
  ["2.5", "Lists"],
  ["3", "Files"],
  ["3.1", "Creating a file"],
  ["3.2", "Content of a file"],
  ["3.3", "Deleting a file"],
  ["4", "Uploads"],
  ["5", "Creating a batch"],
  ["6", "The batch object"],
  ["6.1", "States of a batch"],
  ["7", "The input file"],
  ["8", "Validation"],
  ["9", "Output and error files"],
  ["10", "HTTP errors, case by case"],
  ["11.1", "Webhooks: events and deliveries"],
  ["11.2", "Webhooks: endpoints"],
  ["12.1", "What SDKs do: retries"],
  ["12.2", "What SDKs do: requests"],
  ["12.3", "What SDKs do: helpers"],
  ["13", "Azure's variations"],
  ["14", "Limits"],
];

/**
 * `docs/compatibility.md`: every row with what became of it. The same rows and results make the same bytes.
 *
 * @throws Error when a row was not run that had to be, so that the page never claims what nobody saw
 */
export function renderPage(rows: readonly Row[], results: Record<SuiteName, SuiteResults>): string {
  const missing = rows.filter((row) => isIncomplete(row, results)).map(rowKey);
  if (missing.length > 0) throw new Error(`These rows did not pass everywhere:\n${missing.join("\n")}`);
  const unknown = rows.filter((row) => !headings.some(([section]) => section === row.section)).map(rowKey);
  if (unknown.length > 0) throw new Error(`These rows are in no section:\n${unknown.join("\n")}`);
  const parts = headings.flatMap(([section, heading]) => {
    const own = rows.filter((row) => row.section === section);
    return own.length === 0 ? [] : [`## ${section} ${heading}\n\n${table(own, results)}`];
  });
  return [head(rows, results), ...parts].join("\n");
}

/** Calls that an older version does not have are no reason; those of the newest are. */
function isIncomplete(row: Row, { node, python }: Record<SuiteName, SuiteResults>): boolean {
  if (row.check === undefined) return false;
  const hasPassed = { node: rowKey(row) in node.rows, python: rowKey(row) in python.rows };
  return row.only === undefined ? !(hasPassed.node && hasPassed.python) : !hasPassed[row.only];
}

function head(rows: readonly Row[], results: Record<SuiteName, SuiteResults>): string {
  const passed = (name: SuiteName) => rows.filter((row) => rowKey(row) in results[name].rows).length;
  const differences = rows.filter(({ difference }) => difference !== undefined);
  const tested = differences.filter(({ check }) => check !== undefined).length;
  const totals = [
    ["facts", rows.length],
    [`shown by the Node SDK, \`${results.node.version}\``, passed("node")],
    [`shown by its major before, \`${results["node-previous"].version}\``, passed("node-previous")],
    [`shown by the Python SDK, \`${results.python.version}\``, passed("python")],
    [`deliberate differences, ${tested} of them shown as well`, differences.length],
  ];
  return `# Compatibility

<!-- Written by \`npm run test:contract\`; change the rows in test/contract/sections, not this page. -->

Here is every fact of OpenAI's API for files, uploads, batches and their webhooks that we know of, each shown by OpenAI's own SDKs
against a running Nerif, or the reason why Nerif differs. ✓ means that it was seen in the run that wrote this page; beside a
difference, that Nerif does what the remark says.

| what | count |
|---|---|
${totals.map(([what, count]) => `| ${what} | ${count} |`).join("\n")}

The SDK before lacks the calls for webhook endpoints; all else is the same there.
`;
}

function table(rows: readonly Row[], results: Record<SuiteName, SuiteResults>): string {
  const lines = rows.map((row) => {
    const cells = [row.title, cell(row, results.node), cell(row, results.python), remark(row)];
    return `| ${cells.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return `| fact | Node | Python | remark |\n|---|---|---|---|\n${lines.join("\n")}\n`;
}

function cell(row: Row, { rows }: SuiteResults): string {
  return rowKey(row) in rows ? "✓" : "";
}

function remark({ difference, only }: Row): string {
  const parts = [
    difference === undefined ? "" : `**Differs.** ${difference}`,
    only === undefined ? "" : `Only ${only === "node" ? "Node" : "Python"}'s SDK`,
  ];
  return parts.filter((part) => part !== "").join(". ");
}
