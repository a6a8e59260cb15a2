import { openDatabase } from "./program/database.ts";
import { runSeed, type SeedResult } from "./run-seed.ts";
import { realNow } from "./substitutes/real.ts";
import { replaceGlobals } from "./substitutes/timers.ts";
import { theWorld } from "./world/world.ts";

export interface SimulateOptions {
  seeds: Iterable<number>;
  /** No seed is begun after so many seconds. */
  seconds: number;
  /** Ends with the first seed that fails. */
  stopAtFirst: boolean;
  keepTrace: boolean;
  onFailure: (result: SeedResult) => void;
}

export interface Summary {
  seeds: number;
  failures: { seed: number; violations: string[] }[];
  simulatedHours: number;
  lives: number;
  batches: number;
  sends: number;
  /** Seeds that were run twice, to see whether they do the same twice. */
  repeated: number;
  seconds: number;
  cpuSeconds: number;
}

/** Every so many seeds one is run a second time. */
const repeatEvery = 50;

/** Runs seeds one after another in this process, whose clocks, timers and chance are those of the worlds from now on. */
export async function simulate(options: SimulateOptions): Promise<Summary> {
  const database = await openDatabase();
  replaceGlobals();
  process.on("unhandledRejection", (reason) => {
    theWorld().violation(`unhandled rejection: ${reason instanceof Error ? reason.stack : String(reason)}`);
  });
  const start = { at: realNow(), cpu: process.cpuUsage() };
  const sum = { seeds: 0, simulatedMs: 0, lives: 0, batches: 0, sends: 0, repeated: 0 };
  const failures: Summary["failures"] = [];
  for (const seed of options.seeds) {
    if (realNow() - start.at > options.seconds * 1_000) break;
    const result = await runSeed(seed, { database, keepTrace: options.keepTrace });
    if (sum.seeds % repeatEvery === 0) {
      const again = await runSeed(seed, { database });
      sum.repeated += 1;
      if (again.hash !== result.hash) result.violations.push("the same seed gave another run");
    }
    for (const key of ["simulatedMs", "lives", "batches", "sends"] as const) sum[key] += result[key];
    sum.seeds += 1;
    if (result.violations.length === 0) continue;
    failures.push({ seed, violations: result.violations });
    options.onFailure(result);
    if (options.stopAtFirst) break;
  }
  const { user, system } = process.cpuUsage(start.cpu);
  const { simulatedMs, ...counts } = sum;
  return {
    ...counts,
    failures,
    simulatedHours: simulatedMs / 3_600_000,
    seconds: (realNow() - start.at) / 1_000,
    cpuSeconds: (user + system) / 1_000_000,
  };
}
