import { nerifRun } from "../contestants/nerif.ts";
import { nerifServe } from "../contestants/serve.ts";
import { longMinusShort, ratios, takeTurns } from "../measure/turns.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { figuresOf } from "./figures.ts";
import { createInputs } from "./inputs.ts";

const inFlight = 64;
const lineBytes = 450;
const lines = [20_000, 100_000] as const;

/** The same work through the server. */
export const serve: Row = {
  name: "serve",
  title:
    "The same lines through `nerif serve`: uploaded with `POST /v1/files`, a batch created and polled over HTTP until it has ended. Its CPU time is that of the whole server, upload included; it is compared with `nerif run` in the same rounds",
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  using inputs = createInputs(bench, { lineBytes });
  const contestants = [
    { name: "nerif run", play: nerifRun },
    { name: "nerif serve", play: nerifServe },
  ].map(({ name, play }) => ({
    name,
    turn: () =>
      longMinusShort(lines, (count) => play(bench, { input: inputs.of(count), lines: count, inFlight })),
  }));
  const turns = await takeTurns(contestants, bench.rounds);
  return {
    rounds: bench.rounds,
    contestants: figuresOf(turns),
    goals: [
      goal(
        { figure: "CPU per chat line, `nerif serve` / `nerif run`", sense: "at most", bound: 1.1 },
        ratios(turns, "cpuMicrosecondsPerLine", ["nerif serve", "nerif run"]),
      ),
    ],
    skipped: [],
  };
}
