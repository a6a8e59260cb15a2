import { nerifRun } from "../contestants/nerif.ts";
import { spread } from "../measure/spread.ts";
import { type Goal, goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { createInputs } from "./inputs.ts";

const inFlight = 64;
const lineBytes = 500;

/** The largest resident set of whole runs: it must not grow with the lines. */
export const memory: Row = {
  name: "memory",
  title: `One whole \`nerif run\` each of 10,000, 100,000 and 1,000,000 lines of ${lineBytes} bytes, ${inFlight} in flight`,
  run: (bench) => run(bench, [10_000, 100_000, 1_000_000]),
};

export const tenMillion: Row = {
  name: "memory-10000000",
  title: `One whole \`nerif run\` of 10,000,000 lines of ${lineBytes} bytes, ${inFlight} in flight`,
  onlyWhenNamed: true,
  run: (bench) => run(bench, [10_000_000]),
};

const bounds = new Map([
  [1_000_000, 200],
  [10_000_000, 350],
]);

async function run(bench: Bench, counts: readonly number[]): Promise<Outcome> {
  const contestants: Outcome["contestants"] = [];
  const goals: Goal[] = [];
  for (const lines of counts) {
    // Each size with its own input, so that only one lies on the disk.
    using inputs = createInputs(bench, { lineBytes });
    const { peakBytes, cpuSeconds, seconds } = await nerifRun(bench, {
      input: inputs.of(lines),
      lines,
      inFlight,
    });
    const peakMiB = peakBytes / 2 ** 20;
    const name = `${lines.toLocaleString("en-US")} lines`;
    const figures = {
      "peak MiB": spread([peakMiB]),
      seconds: spread([seconds]),
      "CPU seconds": spread([cpuSeconds]),
    };
    contestants.push({ name, figures });
    console.error(`  ${name}: ${Math.round(peakMiB)} MiB at most, ${Math.round(seconds)} s`);
    const bound = bounds.get(lines);
    if (bound === undefined) continue;
    const figure = `whole run of ${name} of ${lineBytes} bytes: peak memory`;
    goals.push(goal({ figure, unit: "MiB", sense: "at most", bound }, [peakMiB]));
  }
  return { rounds: 1, contestants, goals, skipped: [] };
}
