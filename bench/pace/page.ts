import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Scenario, Verdict } from "./scenario.ts";

/** What a scenario reached the last time, in simulated and in real time. */
interface Row {
  simulated?: Verdict;
  real?: Verdict;
}

const docs = join(import.meta.dirname, "../../docs");
const kept = join(docs, "pace.json");
const page = join(docs, "pace.md");
const [begin, end] = ["<!-- table -->", "<!-- end of the table -->"];

/** Read and written at once, as runs of other rows may go on beside this one. */
export function keepRow(name: string, news: Row): void {
  const rows = readRows();
  rows[name] = { ...rows[name], ...news };
  writeFileSync(kept, `${JSON.stringify(rows, null, 2)}\n`);
}

/** Replaces the table between its marks. */
export function writePage(scenarios: readonly Scenario[]): void {
  const rows = readRows();
  const head = "| upstream | to reach | in simulated time | in real time, over HTTP |\n|---|---|---|---|";
  const lines = scenarios.map(({ name, reach }) => {
    const { simulated, real } = rows[name] ?? {};
    return `| ${[name, reach, cell(simulated), cell(real)].join(" | ")} |`;
  });
  const text = readFileSync(page, "utf8");
  const from = text.indexOf(begin) + begin.length;
  writeFileSync(
    page,
    `${text.slice(0, from)}\n${head}\n${lines.join("\n")}\n${text.slice(text.indexOf(end))}`,
  );
}

function readRows(): Record<string, Row> {
  try {
    return JSON.parse(readFileSync(kept, "utf8")) as Record<string, Row>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

function cell(verdict: Verdict | undefined): string {
  if (verdict === undefined) return "not run";
  return verdict.reached ? verdict.figures : `**missed:** ${verdict.figures}`;
}
