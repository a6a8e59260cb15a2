import { nerifRun } from "../contestants/nerif.ts";
import {
  aiohttpScript,
  hasWrk,
  howToGetAiohttp,
  howToGetWrk,
  openaiSdk,
  pythonWithAiohttp,
  undiciLoop,
  wrk,
} from "../contestants/others.ts";
import { type Contestant, longMinusShort, ratios, takeTurns } from "../measure/turns.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { figuresOf } from "./figures.ts";
import { createInputs } from "./inputs.ts";

const inFlight = 64;
const lineBytes = 450;
const names = {
  nerif: "nerif run",
  undici: "bare undici client",
  sdk: "OpenAI SDK + p-map + appendFile",
  python: "Python asyncio + aiohttp",
  wrk: "wrk",
} as const;

/** CPU time and rate of chat lines, beside the floor and beside what most people write. */
export const chat: Row = {
  name: "chat",
  title: `\`nerif run\` of chat requests (${lineBytes} bytes a line, answers of 664 bytes), ${inFlight} in flight, answered at once. The bare undici client sends one body again and again and keeps nothing; the two scripts append each answer to a file and sync nothing; wrk is the ceiling of the model server. Long run minus short run`,
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  using inputs = createInputs(bench, { lineBytes });
  const interpreter = pythonWithAiohttp();
  const turns = await takeTurns(contestants(bench, { input: inputs.of, interpreter }), bench.rounds);
  const { nerif, undici, sdk } = names;
  const perLine = (pair: readonly [string, string]) => ratios(turns, "cpuMicrosecondsPerLine", pair);
  return {
    rounds: bench.rounds,
    contestants: figuresOf(turns),
    goals: [
      goal(
        { figure: "CPU per chat line, Nerif / bare undici client", sense: "at most", bound: 2, further: 1.7 },
        perLine([nerif, undici]),
      ),
      goal(
        {
          figure: "CPU per chat line, OpenAI SDK + p-map / Nerif",
          sense: "at least",
          bound: 15,
          further: 20,
        },
        perLine([sdk, nerif]),
      ),
      goal(
        { figure: "rate, Nerif / bare undici client", sense: "at least", bound: 0.6 },
        ratios(turns, "linesPerSecond", [nerif, undici]),
      ),
    ],
    skipped: [...(interpreter === null ? [howToGetAiohttp] : []), ...(hasWrk() ? [] : [howToGetWrk])],
  };
}

function contestants(
  bench: Bench,
  { input, interpreter }: { input: (lines: number) => string; interpreter: string | null },
): Contestant[] {
  const script = (lines: number) => ({ input: input(lines), lines, inFlight });
  const all: Contestant[] = [
    {
      name: names.nerif,
      turn: () => longMinusShort([20_000, 100_000], (lines) => nerifRun(bench, script(lines))),
    },
    {
      name: names.undici,
      turn: () =>
        longMinusShort([20_000, 120_000], (lines) => undiciLoop(bench, { lines, inFlight, lineBytes })),
    },
    {
      name: names.sdk,
      turn: () => longMinusShort([2_000, 6_000], (lines) => openaiSdk(bench, script(lines))),
    },
  ];
  if (interpreter !== null) {
    all.push({
      name: names.python,
      turn: () =>
        longMinusShort([2_000, 8_000], (lines) => aiohttpScript(bench, { ...script(lines), interpreter })),
    });
  }
  if (hasWrk()) all.push({ name: names.wrk, turn: () => wrk(bench, { inFlight, lineBytes }) });
  return all;
}
