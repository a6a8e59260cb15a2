import { parseArgs } from "node:util";
import { keepRow, writePage } from "./pace/page.ts";
import { runReal } from "./pace/run-real.ts";
import type { Verdict } from "./pace/scenario.ts";
import { scenarios } from "./pace/scenarios.ts";
import { simulate } from "./pace/simulate.ts";

/*
 * Meets scripted upstreams and writes the table of docs/pace.md: in simulated time (seconds), then in real time, with
 * the whole engine and HTTP (half an hour, on a machine that has nothing else to do). What a row reached last is kept in
 * docs/pace.json. Options:
 *
 *   --only WORDS   scenarios whose names hold these words
 *   --simulated    leaves the runs in real time out
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
let missed = 0;

for (const scenario of scenarios().filter(({ name }) => name.includes(values.only))) {
  const simulated = scenario.judge(simulate(scenario, seed));
  say(scenario.name, "simulated", simulated);
  keepRow(scenario.name, { simulated });
  if (values.simulated) continue;
  const real = scenario.judge(await runReal(scenario, seed));
  say(scenario.name, "real", real);
  keepRow(scenario.name, { real });
}
writePage(scenarios());
process.exitCode = missed > 0 ? 1 : 0;

function say(name: string, where: string, { figures, reached }: Verdict): void {
  if (!reached) missed += 1;
  console.log(`${reached ? "reached" : "MISSED "}  ${where.padEnd(9)}  ${name}: ${figures}`);
}
