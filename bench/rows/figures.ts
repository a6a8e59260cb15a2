import { spread } from "../measure/spread.ts";
import type { Turn } from "../measure/turns.ts";
import type { Outcome } from "../row.ts";

/** Turns of a few contestants as the page shows them. */
export function figuresOf(turns: ReadonlyMap<string, Turn[]>): Outcome["contestants"] {
  return [...turns].map(([name, all]) => ({
    name,
    figures: {
      "CPU µs per line": spread(all.map((turn) => turn.cpuMicrosecondsPerLine)),
      "lines per second": spread(all.map((turn) => turn.linesPerSecond)),
      "peak MiB": spread(all.map((turn) => turn.peakMiB)),
    },
  }));
}
