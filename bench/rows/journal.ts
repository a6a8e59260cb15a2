import { rmSync } from "node:fs";
import { join } from "node:path";
import { measure } from "../measure/measure.ts";
import { spread } from "../measure/spread.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";

const perSecond = 10_000;
const seconds = 5;

/** How long an answer that has come in is not yet safe. */
export const journal: Row = {
  name: "journal",
  title: `Answers of 664 bytes that come at ${perSecond.toLocaleString("en-US")} a second for ${seconds} seconds, whether or not the journal keeps up, until each is synced to disk; the first second is left out`,
  run,
};

interface Delays {
  p50: number;
  p99: number;
  max: number;
}

async function run(bench: Bench): Promise<Outcome> {
  const delays: Delays[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    const directory = join(bench.scratch, "journal");
    const load = join(import.meta.dirname, "../contestants/journal-load.ts");
    const args = [load, directory, String(perSecond), String(seconds)];
    const used = await measure([process.execPath, ...args]);
    rmSync(directory, { recursive: true });
    delays.push(JSON.parse(used.stdout) as Delays);
    cpu.push((used.cpuSeconds / (perSecond * seconds)) * 1e6);
    console.error(`  round ${round + 1}/${bench.rounds}  ${used.stdout.trim()}`);
  }
  const figures = {
    "p50, ms": spread(delays.map(({ p50 }) => p50)),
    "p99, ms": spread(delays.map(({ p99 }) => p99)),
    "longest, ms": spread(delays.map(({ max }) => max)),
    "CPU µs per line, with start": spread(cpu),
  };
  return {
    rounds: bench.rounds,
    contestants: [{ name: "journal on disk", figures }],
    goals: [
      goal(
        {
          figure: `answer received to durable at ${perSecond.toLocaleString("en-US")} lines/s, 99th percentile`,
          ...{ unit: "ms", sense: "at most", bound: 20 },
        },
        delays.map(({ p99 }) => p99),
      ),
    ],
    skipped: [],
  };
}
