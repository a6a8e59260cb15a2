import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runReal } from "./pace/run-real.ts";
import type { Verdict } from "./pace/scenario.ts";
import { scenarios } from "./pace/scenarios.ts";
import { simulate } from "./pace/simulate.ts";

/*
 * Meets scripted upstreams and writes the table of docs/pace.md: in simulated time (seconds), then in real time, with
 * the whole engine and HTTP (half an hour, on a machine that has nothing else to do). Options:
 *
 *   --only WORDS   scenarios whose names hold these words; the page stays as it is
 *   --simulated    leaves the runs in real time out, in the page too
 *   --seed N       default 1
 */

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    simulated: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
  },
});
const seed = Number(values.seed);
const all = scenarios().filter(({ name }) => name.includes(values.only));
const rows: string[] = [];
let missed = 0;

for (const scenario of all) {
  const simulated = scenario.judge(simulate(scenario, seed));
  say(scenario.name, "simulated", simulated);
  const real = values.simulated ? null : scenario.judge(await runReal(scenario, seed));
  if (real !== null) say(scenario.name, "real", real);
  const cells = [simulated, real].filter((verdict) => verdict !== null).map(cell);
  rows.push(`| ${[scenario.name, scenario.reach, ...cells].join(" | ")} |`);
}
if (values.only === "") writePage();
process.exitCode = missed > 0 ? 1 : 0;

function say(name: string, where: string, { figures, reached }: Verdict): void {
  if (!reached) missed += 1;
  console.log(`${reached ? "reached" : "MISSED "}  ${where.padEnd(9)}  ${name}: ${figures}`);
}

function cell({ figures, reached }: Verdict): string {
  return reached ? figures : `**missed:** ${figures}`;
}

/** Replaces the table between its marks. */
function writePage(): void {
  const page = join(import.meta.dirname, "../docs/pace.md");
  const [begin, end] = ["<!-- table -->", "<!-- end of the table -->"];
  const text = readFileSync(page, "utf8");
  const columns = ["upstream", "to reach", "in simulated time"];
  if (!values.simulated) columns.push("in real time, over HTTP");
  const head = `| ${columns.join(" | ")} |\n|${"---|".repeat(columns.length)}`;
  const from = text.indexOf(begin) + begin.length;
  writeFileSync(
    page,
    `${text.slice(0, from)}\n${head}\n${rows.join("\n")}\n${text.slice(text.indexOf(end))}`,
  );
}
