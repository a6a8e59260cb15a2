import { join } from "node:path";
import { type MeasureOptions, measure } from "../measure/measure.ts";
import { longMinusShort, ratios, takeTurns } from "../measure/turns.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { figuresOf } from "./figures.ts";
import { createInputs } from "./inputs.ts";

/** Reading and checking alone, beside a loop that only parses. */
export const validationRows: readonly Row[] = [
  validationRow({ name: "validation-4k", lineBytes: 4_096, lines: [20_000, 100_000] }),
  validationRow({ name: "validation-500", lineBytes: 500, lines: [100_000, 800_000] }),
];

interface Work {
  name: string;
  lineBytes: number;
  lines: readonly [number, number];
}

const names = {
  loop: "split + JSON.parse",
  oneCore: "nerif validate, one core",
  twoCores: "nerif validate, two cores",
} as const;

function validationRow({ name, ...work }: Work): Row {
  return {
    name,
    title: `\`nerif validate\` of lines of ${work.lineBytes.toLocaleString("en-US")} bytes on one core and on two, beside a loop on one core that splits the file and calls \`JSON.parse\`. On one core CPU time is compared, on two the wall clock. Long run minus short run`,
    run: (bench) => run(bench, work),
  };
}

async function run(bench: Bench, { lineBytes, lines }: Omit<Work, "name">): Promise<Outcome> {
  using inputs = createInputs(bench, { lineBytes });
  const node = (script: string[], options: MeasureOptions) => () =>
    longMinusShort(lines, (count) => measure([process.execPath, ...script, inputs.of(count)], options));
  const loop = join(import.meta.dirname, "../contestants/parse-loop.ts");
  const turns = await takeTurns(
    [
      { name: names.loop, turn: node([loop], { cores: 1 }) },
      { name: names.oneCore, turn: node([bench.nerif, "validate"], { cores: 1 }) },
      { name: names.twoCores, turn: node([bench.nerif, "validate"], { cores: 2 }) },
    ],
    bench.rounds,
  );
  const what = `validation, lines of ${lineBytes.toLocaleString("en-US")} bytes`;
  return {
    rounds: bench.rounds,
    contestants: figuresOf(turns),
    goals: [
      goal(
        { figure: `${what}, one core: speed / split + JSON.parse`, sense: "at least", bound: 0.9 },
        ratios(turns, "cpuMicrosecondsPerLine", [names.loop, names.oneCore]),
      ),
      goal(
        { figure: `${what}, two cores: speed / split + JSON.parse`, sense: "at least", bound: 1.6 },
        ratios(turns, "linesPerSecond", [names.twoCores, names.loop]),
      ),
    ],
    skipped: [],
  };
}
