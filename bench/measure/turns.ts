import type { Usage } from "./measure.ts";

/** What one contestant has shown in one round. */
export interface Turn {
  cpuMicrosecondsPerLine: number;
  linesPerSecond: number;
  /** Of the long run. */
  peakMiB: number;
  /** Of the short run, where there is one. */
  shortPeakMiB?: number;
}

export interface Contestant {
  name: string;
  turn(): Promise<Turn>;
}

/** All contestants in turn, as often as there are rounds: what else the machine does meets them alike. */
export async function takeTurns<C extends Contestant>(
  contestants: readonly C[],
  rounds: number,
): Promise<Map<string, Turn[]>> {
  const turns = new Map<string, Turn[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const contestant of contestants) {
      const turn = await contestant.turn();
      turns.get(contestant.name)?.push(turn);
      const cpu = turn.cpuMicrosecondsPerLine.toFixed(1);
      const rate = Math.round(turn.linesPerSecond);
      console.error(
        `  round ${round}/${rounds}  ${contestant.name}: ${cpu} us of CPU per line, ${rate} lines/s`,
      );
    }
  }
  return turns;
}

/** A long run minus a short one, so that starting and warming up are left out. */
export async function longMinusShort(
  [short, long]: readonly [number, number],
  run: (lines: number) => Promise<Pick<Usage, "cpuSeconds" | "seconds" | "peakBytes">>,
): Promise<Turn> {
  const few = await run(short);
  const many = await run(long);
  return {
    cpuMicrosecondsPerLine: ((many.cpuSeconds - few.cpuSeconds) / (long - short)) * 1e6,
    linesPerSecond: (long - short) / (many.seconds - few.seconds),
    peakMiB: many.peakBytes / 2 ** 20,
    shortPeakMiB: few.peakBytes / 2 ** 20,
  };
}

/** One figure of two contestants, divided round by round. */
export function ratios(
  turns: ReadonlyMap<string, Turn[]>,
  figure: keyof Turn,
  [above, below]: readonly [string, string],
): number[] {
  const divisors = turns.get(below) ?? [];
  return (turns.get(above) ?? []).map(
    (turn, index) => (turn[figure] ?? Number.NaN) / (divisors[index]?.[figure] ?? Number.NaN),
  );
}
