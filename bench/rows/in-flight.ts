import { execFileSync } from "node:child_process";
import { nerifRun } from "../contestants/nerif.ts";
import { undiciLoop } from "../contestants/others.ts";
import { longMinusShort, ratios, takeTurns } from "../measure/turns.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { figuresOf } from "./figures.ts";
import { createInputs } from "./inputs.ts";

const lineBytes = 450;
const names = ["nerif run", "bare undici client"] as const;

/** Many calls that wait for a slow model at the same time. */
export const inFlightRows: readonly Row[] = [
  inFlightRow({ name: "in-flight-1000", inFlight: 1_000, delayMs: 200, lines: [5_000, 25_000] }),
  inFlightRow({ name: "in-flight-10000", inFlight: 10_000, delayMs: 2_000, lines: [10_000, 40_000] }),
];

interface Load {
  name: string;
  inFlight: number;
  delayMs: number;
  lines: readonly [number, number];
}

function inFlightRow({ name, ...load }: Load): Row {
  const { inFlight, delayMs } = load;
  return {
    name,
    title: `\`nerif run\` and the bare undici client with ${inFlight.toLocaleString("en-US")} calls in flight, each answered after ${delayMs.toLocaleString("en-US")} ms. Long run minus short run; the peak is that of the long one`,
    run: (bench) => run(bench, load),
  };
}

async function run(bench: Bench, load: Omit<Load, "name">): Promise<Outcome> {
  const { inFlight, delayMs, lines } = load;
  const needed = inFlight + 500;
  if (openFiles() < needed) {
    const skipped = [`at most ${openFiles()} files may be open here: ulimit -n ${needed}`];
    return { rounds: 0, contestants: [], goals: [], skipped };
  }
  using inputs = createInputs(bench, { lineBytes });
  const plays = {
    "nerif run": (count: number) =>
      nerifRun(bench, { input: inputs.of(count), lines: count, inFlight, delayMs }),
    "bare undici client": (count: number) =>
      undiciLoop(bench, { lines: count, lineBytes, inFlight, delayMs }),
  };
  const contestants = names.map((name) => ({ name, turn: () => longMinusShort(lines, plays[name]) }));
  const turns = await takeTurns(contestants, bench.rounds);
  const what = `${inFlight.toLocaleString("en-US")} in flight at ${delayMs / 1_000} s`;
  return {
    rounds: bench.rounds,
    contestants: figuresOf(turns),
    goals: [
      goal(
        { figure: `${what}: rate, Nerif / bare undici client`, sense: "at least", bound: 0.95 },
        ratios(turns, "linesPerSecond", names),
      ),
      goal(
        { figure: `${what}: peak memory`, unit: "MiB", sense: "at most", bound: 350 },
        (turns.get(names[0]) ?? []).map(({ peakMiB }) => peakMiB),
      ),
    ],
    skipped: [],
  };
}

/** What a process that is started here may have open: Node raises its own limit as far as it may, and hands that on. */
function openFiles(): number {
  const said = execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).trim();
  return said === "unlimited" ? Number.POSITIVE_INFINITY : Number(said);
}
