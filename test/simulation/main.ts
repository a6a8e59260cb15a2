import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { parseArgs } from "node:util";
import { runFleet } from "./fleet.ts";
import type { SeedResult } from "./run-seed.ts";
import type { Summary } from "./simulate.ts";
import { substituteModules } from "./substitutes/hooks.ts";
import { mutations } from "./substitutes/mutations.ts";

/*
 * node test/simulation/main.ts --seeds 100000 --from 0 --processes 2 --results test/simulation/results.json
 * node test/simulation/main.ts --seeds 1 --from 4711 --trace
 */

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "0" },
    /** Seeds by number, with commas between them, in place of a range. */
    only: { type: "string" },
    processes: { type: "string", default: "1" },
    /** Runs so many lists of commands against a model of the contract in place of seeds; `from` is their seed. */
    models: { type: "string" },
    /** Begins no seed after so many seconds. */
    seconds: { type: "string", default: "1e9" },
    "stop-at-first": { type: "boolean", default: false },
    /** Says everything that happens. */
    trace: { type: "boolean", default: false },
    /** Breaks a promise: a name out of `substitutes/mutations.ts`. */
    mutation: { type: "string" },
    /** A JSON file to which the sums are appended. */
    results: { type: "string" },
    /** Says nothing on stdout but the sums, as JSON. */
    json: { type: "boolean", default: false },
  },
});

/** Seeds that are told of in full; the sums name all that failed. */
const mostTold = 5;
let told = 0;

const from = Number(values.from);
const count = Number(values.seeds);
const processes = Number(values.processes);
const commit = execFileSync("git", ["describe", "--always", "--dirty"], { cwd: import.meta.dirname })
  .toString()
  .trim();
if (values.models !== undefined) await models(Number(values.models));
const summary = processes > 1 ? await many() : await here();
if (values.results !== undefined) keep(values.results, summary);
console.log(values.json ? JSON.stringify(summary) : said(summary));
process.exit(summary.failures.length > 0 && !values.json ? 1 : 0);

async function models(runs: number): Promise<never> {
  substituteModules(mutationNamed(values.mutation));
  const { runModels } = await import("./models/run-models.ts");
  const commands = await runModels({ runs, seed: from });
  console.log(`${runs} lists of commands (seed ${from}), ${commands} commands in all`);
  process.exit(0);
}

function many(): Promise<Summary> {
  const more = values.mutation === undefined ? [] : ["--mutation", values.mutation];
  return runFleet({
    ...{ from, processes, more, seeds: count, seconds: Number(values.seconds) },
    onProgress: (sums) => console.error(said(sums)),
  });
}

async function here(): Promise<Summary> {
  substituteModules(mutationNamed(values.mutation));
  // Only now: what is loaded before would not get the substitutes.
  const { simulate } = await import("./simulate.ts");
  const only = values.only?.split(",").map(Number);
  return simulate({
    seeds: only ?? Array.from({ length: count }, (_, i) => from + i),
    seconds: Number(values.seconds),
    stopAtFirst: values["stop-at-first"],
    keepTrace: values.trace,
    onFailure: tell,
  });
}

function mutationNamed(name: string | undefined) {
  if (name === undefined) return null;
  const mutation = mutations[name];
  if (mutation === undefined)
    throw new Error(`There is no mutation ${name}, only ${Object.keys(mutations).join(", ")}`);
  return mutation;
}

function tell({ seed, violations, trace }: SeedResult): void {
  told += 1;
  if (values.mutation !== undefined || told > mostTold) return;
  for (const line of trace) console.error(line);
  console.error(`Seed ${seed}:\n  ${violations.slice(0, 10).join("\n  ")}`);
  console.error(`  again: node test/simulation/main.ts --seeds 1 --from ${seed} --trace   (at ${commit})`);
}

function said({ seeds, failures, simulatedHours, seconds, cpuSeconds, ...sums }: Summary): string {
  const speed = (seeds / cpuSeconds).toFixed(0);
  const failed =
    failures.length === 0 ? "none failed" : `failed: ${failures.map(({ seed }) => seed).join(", ")}`;
  const more = `${sums.lives} lives, ${sums.batches} batches, ${sums.sends} calls; ${sums.repeated} seeds run twice`;
  return `${seeds} seeds, ${failed}; ${simulatedHours.toFixed(1)} simulated hours in ${seconds.toFixed(0)} s, ${speed} seeds per CPU second; ${more}`;
}

/** For the page that tells what was tried. */
function keep(path: string, { failures, ...sums }: Summary): void {
  const before: unknown[] = readResults(path);
  const entry = { commit, from, ...sums, failures: failures.map(({ seed }) => seed) };
  writeFileSync(path, `${JSON.stringify([...before, entry], null, 2)}\n`);
}

function readResults(path: string): unknown[] {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (reason) {
    if (reason instanceof Error && "code" in reason && reason.code === "ENOENT") return [];
    throw reason;
  }
}
