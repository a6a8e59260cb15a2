import { nerifRun } from "../contestants/nerif.ts";
import { openaiSdk } from "../contestants/others.ts";
import { longMinusShort, ratios, takeTurns } from "../measure/turns.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { figuresOf } from "./figures.ts";
import { createInputs } from "./inputs.ts";

const inFlight = 64;
const lineBytes = 300;
const nerif = "nerif run";
const sdk = "OpenAI SDK + p-map + appendFile";

/** Answers that are far larger than requests. */
export const embeddings: Row = {
  name: "embeddings",
  title: `\`nerif run\` and the script with the OpenAI SDK on embeddings, whose answers are 33 KB of 1,536 numbers, each on a line of its own as OpenAI prints them; ${inFlight} in flight. Memory is flat when a run of four times as many lines peaks no higher`,
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  using inputs = createInputs(bench, { lineBytes, kind: "embedding" });
  const options = (lines: number) => ({ input: inputs.of(lines), lines, inFlight });
  const turns = await takeTurns(
    [
      {
        name: nerif,
        turn: () => longMinusShort([6_000, 24_000], (lines) => nerifRun(bench, options(lines))),
      },
      { name: sdk, turn: () => longMinusShort([500, 2_000], (lines) => openaiSdk(bench, options(lines))) },
    ],
    bench.rounds,
  );
  return {
    rounds: bench.rounds,
    contestants: figuresOf(turns),
    goals: [
      goal(
        {
          figure: "CPU per line with an answer of 33 KB, OpenAI SDK + p-map / Nerif",
          sense: "at least",
          bound: 4,
        },
        ratios(turns, "cpuMicrosecondsPerLine", [sdk, nerif]),
      ),
      goal(
        { figure: "answers of 33 KB: peak memory at 24,000 lines / at 6,000", sense: "at most", bound: 1.1 },
        (turns.get(nerif) ?? []).map(({ peakMiB, shortPeakMiB = Number.NaN }) => peakMiB / shortPeakMiB),
      ),
    ],
    skipped: [],
  };
}
