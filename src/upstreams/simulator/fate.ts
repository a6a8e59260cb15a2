import { NerifError } from "../../batch/errors.ts";
import { drawLatency, type Latency } from "./latency.ts";
import { createRandom } from "./random.ts";

/** How often what goes wrong: shares of the requests, from 0 to 1, and 0 by default. */
export interface FateOptions {
  /** Share answered with status 500. */
  errorRate?: number | undefined;
  /** Share answered with status 429. */
  throttleRate?: number | undefined;
  /** Share never answered. */
  hangRate?: number | undefined;
  /** Share whose connection is reset instead of an answer. */
  resetRate?: number | undefined;
  /** Default none. */
  latency?: Latency | undefined;
}

export interface Fate {
  fault: "hang" | "reset" | "throttle" | "error" | null;
  latencyMs: number;
}

/**
 * Draws what happens to each request from one stream of numbers: the same sequence has the same fates.
 *
 * @throws NerifError `invalid_value` for rates that are no shares
 */
export function createFates(options: FateOptions, seed: number): () => Fate {
  const random = createRandom(seed);
  const { latency, hangRate = 0, resetRate = 0, throttleRate = 0, errorRate = 0 } = options;
  const rates = [hangRate, resetRate, throttleRate, errorRate];
  const sum = rates.reduce((total, rate) => total + rate);
  if (rates.some((rate) => !(rate >= 0)) || sum > 1) {
    const reason = `each must be from 0 to 1 and all together at most 1, not ${rates.join(" + ")}`;
    throw new NerifError("invalid_value", `Cannot use these rates of faults: ${reason}`);
  }
  return () => {
    const at = random();
    const latencyMs = latency === undefined ? 0 : drawLatency(latency, random);
    if (at < hangRate) return { fault: "hang", latencyMs };
    if (at < hangRate + resetRate) return { fault: "reset", latencyMs };
    if (at < hangRate + resetRate + throttleRate) return { fault: "throttle", latencyMs };
    if (at < hangRate + resetRate + throttleRate + errorRate) return { fault: "error", latencyMs };
    return { fault: null, latencyMs };
  };
}
