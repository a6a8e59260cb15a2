import { parseDuration } from "../../batch/duration.ts";
import { NerifError } from "../../batch/errors.ts";
import { normal } from "./random.ts";

/** How long the simulator thinks before it answers. Half of log-normal latencies are below the median. */
export type Latency = { kind: "fixed"; ms: number } | { kind: "lognormal"; medianMs: number; sigma: number };

/**
 * Reads `200ms` (always so long) or `lognormal:200ms,0.5` (median and sigma).
 *
 * @throws NerifError `invalid_value`
 */
export function parseLatency(text: string): Latency {
  const [, median, sigma] = /^lognormal:([^,]+),(\d{1,2}(?:\.\d{1,6})?)$/.exec(text) ?? [];
  if (median !== undefined)
    return { kind: "lognormal", medianMs: parseDuration(median), sigma: Number(sigma) };
  if (!text.startsWith("lognormal")) return { kind: "fixed", ms: parseDuration(text) };
  throw new NerifError(
    "invalid_value",
    `Cannot read ${JSON.stringify(text.slice(0, 80))} as a latency: it must look like 200ms or lognormal:200ms,0.5`,
  );
}

/** Milliseconds of one latency. */
export function drawLatency(latency: Latency, random: () => number): number {
  return latency.kind === "fixed" ? latency.ms : latency.medianMs * Math.exp(latency.sigma * normal(random));
}
