import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Summary } from "./simulate.ts";

/** Seeds that a process runs before it makes room for a new one. */
const seedsAtATime = 1_000;

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

export interface FleetOptions {
  from: number;
  seeds: number;
  processes: number;
  /** Begins no further process after so many seconds. */
  seconds: number;
  /** Passed on to each process. */
  more: string[];
  onProgress: (summary: Summary) => void;
}

/** Runs a range of seeds in several processes and adds up what they say. */
export async function runFleet({
  from,
  seeds,
  processes,
  seconds,
  more,
  onProgress,
}: FleetOptions): Promise<Summary> {
  const end = performance.now() + 1_000 * seconds;
  const summaries: Summary[] = [];
  let next = from;
  await Promise.all(
    Array.from({ length: processes }, async () => {
      while (next < from + seeds && performance.now() < end) {
        const first = next;
        next = Math.min(next + seedsAtATime, from + seeds);
        const range = ["--from", String(first), "--seeds", String(next - first)];
        summaries.push(await runMain([...range, ...more]));
        onProgress(addUp(summaries));
      }
    }),
  );
  return addUp(summaries);
}

/** Runs the command in a process of its own and returns what it says with `--json`; its other words go on to ours. */
export async function runMain(options: string[]): Promise<Summary> {
  const child = spawn(process.execPath, [main, "--json", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  try {
    return JSON.parse(out);
  } catch (reason) {
    throw new Error(`The simulation ended with code ${code} and said: ${out}`, { cause: reason });
  }
}

function addUp(summaries: Summary[]): Summary {
  const total = { seeds: 0, simulatedHours: 0, lives: 0, batches: 0, sends: 0, repeated: 0, cpuSeconds: 0 };
  let seconds = 0;
  for (const summary of summaries) {
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += summary[key];
    seconds += summary.seconds;
  }
  const failures = summaries.flatMap((summary) => summary.failures).sort((a, b) => a.seed - b.seed);
  return { ...total, seconds, failures };
}
