import { measure, type Usage } from "../measure/measure.ts";
import { spread } from "../measure/spread.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { createInputs } from "./inputs.ts";

/** What the command costs before it has done anything. */
export const startUp: Row = {
  name: "start-up",
  title:
    "The whole process of `nerif --help` and of `nerif validate` of 10 lines, and of a Node that does nothing; CPU time decides",
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  using inputs = createInputs(bench, { lineBytes: 500 });
  const commands = {
    "nerif --help": [bench.nerif, "--help"],
    "nerif validate, 10 lines": [bench.nerif, "validate", inputs.of(10)],
    "node -e 0": ["-e", "0"],
  };
  const used = new Map<string, Usage[]>(Object.keys(commands).map((name) => [name, []]));
  const rounds = 3 * bench.rounds;
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, args] of Object.entries(commands)) {
      used.get(name)?.push(await measure([process.execPath, ...args]));
    }
  }
  const cpuMs = (name: keyof typeof commands) =>
    (used.get(name) ?? []).map(({ cpuSeconds }) => cpuSeconds * 1_000);
  return {
    rounds,
    contestants: [...used].map(([name, all]) => ({
      name,
      figures: {
        "CPU ms": spread(all.map(({ cpuSeconds }) => cpuSeconds * 1_000)),
        "ms by the clock": spread(all.map(({ seconds }) => seconds * 1_000)),
      },
    })),
    goals: [
      goal(
        { figure: "`nerif --help`: process time", unit: "ms", sense: "at most", bound: 150 },
        cpuMs("nerif --help"),
      ),
      goal(
        { figure: "`nerif validate` of 10 lines: process time", unit: "ms", sense: "at most", bound: 300 },
        cpuMs("nerif validate, 10 lines"),
      ),
    ],
    skipped: [],
  };
}
