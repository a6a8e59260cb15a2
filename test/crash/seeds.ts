import { existsSync, readFileSync } from "node:fs";

/** What one run of `test/simulation/main.ts --results` kept. */
export interface SeedResult {
  commit: string;
  from: number;
  seeds: number;
  lives: number;
  batches: number;
  sends: number;
  simulatedHours: number;
  /** The numbers of the seeds in which a promise was broken. */
  failures: number[];
}

export function readSeedResults(path: string): SeedResult[] {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as SeedResult[]) : [];
}

/** Seeds that are named in a cell of the table; the file has all. */
const mostNamed = 12;

/** A row for each commit: seeds of one commit are about the same sources. */
export function seedsOf(results: readonly SeedResult[]): string[] {
  if (results.length === 0) return [];
  const byCommit = Map.groupBy(results, ({ commit }) => commit);
  return [
    "## Simulated histories",
    "",
    "`node test/simulation/main.ts --seeds 1000 --from 0 --results docs/reliability-seeds.json`: the engine, the journal and the service on a simulated clock,",
    "disk and upstream; a seed is a history with kills, power cuts, pauses, take-overs, full disks, lost answers and clients of its own. `reliability-seeds.json` names",
    "all that failed; what they showed stands below.",
    "",
    "| commit | seeds | failed | simulated hours | lives | batches | calls |",
    "|---|---|---|---|---|---|---|",
    ...[...byCommit].map(([commit, of]) => row(commit, of)),
    "",
  ];
}

function row(commit: string, results: readonly SeedResult[]): string {
  const sum = (figure: (result: SeedResult) => number) =>
    Math.round(results.reduce((total, result) => total + figure(result), 0)).toLocaleString("en-US");
  const cells = [
    commit,
    sum(({ seeds }) => seeds),
    failedOf(results.flatMap(({ failures }) => failures)),
    sum(({ simulatedHours }) => simulatedHours),
    sum(({ lives }) => lives),
    sum(({ batches }) => batches),
    sum(({ sends }) => sends),
  ];
  return `| ${cells.join(" | ")} |`;
}

function failedOf(failed: readonly number[]): string {
  if (failed.length === 0) return "none";
  const named = failed.slice(0, mostNamed).join(", ");
  const more = failed.length - mostNamed;
  return more <= 0 ? `${failed.length}: ${named}` : `${failed.length}: ${named} and ${more} more`;
}
