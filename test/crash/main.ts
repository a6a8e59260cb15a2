import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installCommand } from "../../scripts/bundle.ts";
import { readMutationResults } from "./mutations/results.ts";
import type { Part } from "./part.ts";
import { parts } from "./parts.ts";
import { reportOf } from "./report.ts";
import { addRound, newResult, type PartResult, provenance, readResults, writeResults } from "./results.ts";
import { runPart } from "./run-part.ts";
import { readSeedResults } from "./seeds.ts";

/*
 * The long tier: runs the parts against the command as it is published, keeps after each round what came of it, and
 * writes the page. Options:
 *
 *   --only NAMES    parts whose names begin so, with commas between; default all
 *   --rounds N      rounds of each; default those that a part names, or as many as there are
 *   --jobs N        that many rounds beside each other; default 1. What is kept is in their order all the same
 *   --stride N      takes only every N-th round, until a promise breaks, and keeps nothing: for trying the harness itself
 *   --seed N        default 1
 *   --fresh         from the beginning; default: what is kept for the same sources and seed is gone on with
 *   --report        runs nothing, writes the page
 *   --out DIR       where reliability.json and reliability.md go; default docs
 */

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    rounds: { type: "string" },
    jobs: { type: "string", default: "1" },
    stride: { type: "string" },
    seed: { type: "string", default: "1" },
    fresh: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    out: { type: "string", default: join(import.meta.dirname, "../../docs") },
  },
});

mkdirSync(values.out, { recursive: true });
const resultsPath = join(values.out, "reliability.json");
const wanted = values.only.split(",");
const seed = Number(values.seed);
const results = readResults(resultsPath);
let broken = 0;

if (!values.report) {
  const published = mkdtempSync(join(tmpdir(), "nerif-published-"));
  process.once("exit", () => rmSync(published, { recursive: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  process.env.TEST_COMMAND = await installCommand(published);
}

for (const part of values.report ? [] : parts) {
  if (!wanted.some((start) => part.name.startsWith(start))) continue;
  const result = begin(part);
  if (values.stride === undefined) results[part.name] = result;
  await run(part, result);
  broken += result.violations.length;
}
const names = parts.map(({ name }) => name);
const page = reportOf(results, {
  names,
  mutations: readMutationResults(join(values.out, "reliability-mutations.json")),
  seeds: readSeedResults(join(values.out, "reliability-seeds.json")),
  found: readFileSync(join(import.meta.dirname, "found.md"), "utf8"),
});
writeFileSync(join(values.out, "reliability.md"), page);
process.exitCode = broken === 0 ? 0 : 1;

function begin({ name, title }: Part): PartResult {
  const known = results[name];
  const fits = known?.seed === seed && known.sources === provenance().sources && known.skipped === null;
  return fits && !values.fresh ? { ...known, title } : newResult(title, seed);
}

async function run(part: Part, result: PartResult): Promise<void> {
  const { name } = part;
  const most = values.rounds === undefined ? part.rounds : Number(values.rounds);
  result.skipped = part.unavailable();
  if (result.skipped !== null) {
    console.log(`${name}: skipped, ${result.skipped}`);
    writeResults(resultsPath, results);
    return;
  }
  const isEnough = () => most !== null && result.rounds >= most;
  if (isEnough() || (result.isComplete && most === null)) return;
  const directory = mkdtempSync(join(tmpdir(), `nerif-${name}-`));
  let isBroken = false;
  const wasLast = await runPart(part, {
    ...{ directory, seed, from: result.rounds, until: most, jobs: Number(values.jobs) },
    stride: Number(values.stride ?? 1),
    take(round, ms) {
      addRound(result, round, ms);
      for (const violation of round.violations.slice(0, 20)) console.log(`${name}: ${violation}`);
      isBroken ||= round.violations.length > 0;
      writeResults(resultsPath, results);
      return !(isBroken && values.stride !== undefined);
    },
  });
  result.isComplete ||= wasLast;
  result.isComplete ||= part.rounds !== null && result.rounds >= part.rounds;
  writeResults(resultsPath, results);
  if (isBroken) console.log(`${name}: what is left of the failed rounds is in ${directory}`);
  else rmSync(directory, { recursive: true, force: true });
  console.log(`${name}: ${result.rounds} rounds, ${result.violations.length} violations`);
}
