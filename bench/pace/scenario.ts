import type { Latency } from "../../src/upstreams/simulator/latency.ts";
import type { Rule } from "../../src/upstreams/simulator/script.ts";

/** One row of `docs/pace.md`: an upstream, the lines that meet it, and what has to come of it. */
export interface Scenario {
  name: string;
  /** What has to be reached, in words. */
  reach: string;
  /** One upstream for each list of rules. */
  upstreams: { name: string; rules: readonly Rule[]; models?: readonly string[] }[];
  /** What is asked for. */
  batches: { lines: readonly ScenarioLine[]; startMs?: number }[];
  concurrency?: { floor: number; ceiling: number };
  limits?: { requestsPerMinute?: number; tokensPerMinute?: number };
  yields?: { maxShare?: number; targetLatencyMs?: number };
  /** It is broken off after so many milliseconds; what was done until then counts. */
  endMs: number;
  judge(result: ScenarioResult): Verdict;
}

export interface ScenarioLine {
  model: string;
  text: string;
  /** Tokens that the answer reports. */
  output: number;
}

/** What was seen, in milliseconds after the first call. */
export interface ScenarioResult {
  calls: readonly SeenCall[];
  /** Lines that ended, and when. */
  ended: readonly { batch: number; line: number; ok: boolean; at: number }[];
}

/** One call as an upstream saw it. */
export interface SeenCall {
  upstream: string;
  model: string;
  text: string;
  arrivedAt: number;
  /** NaN: it was still under way at the end. */
  answeredAt: number;
  /** Milliseconds for which it was worked on; what it waited for a slot does not count. */
  workedMs: number;
  ok: boolean;
  tokens: number;
}

export interface Verdict {
  figures: string;
  reached: boolean;
}

/** Succeeded calls a second between two times in milliseconds. */
export function rate(calls: readonly SeenCall[], from: number, until: number): number {
  const there = calls.filter(({ ok, answeredAt }) => ok && answeredAt >= from && answeredAt < until);
  return (there.length * 1_000) / (until - from);
}

/** Share of the slots that was at work for calls that succeeded, between two times in milliseconds. */
export function used(calls: readonly SeenCall[], slots: number, [from, until]: [number, number]): number {
  const there = calls.filter(({ ok, answeredAt }) => ok && answeredAt >= from && answeredAt < until);
  return there.reduce((sum, { workedMs }) => sum + workedMs, 0) / ((until - from) * slots);
}

/** Calls for each line that succeeded; those under way at the end do not count. */
export function sendsPerLine(calls: readonly SeenCall[]): number {
  const ended = calls.filter(({ answeredAt }) => !Number.isNaN(answeredAt));
  return ended.length / ended.filter(({ ok }) => ok).length;
}

/** Most calls at an upstream at once between two times. */
export function peak(calls: readonly SeenCall[], from = 0, until = Number.POSITIVE_INFINITY): number {
  const steps = calls.flatMap(({ arrivedAt, answeredAt }) => [
    { at: arrivedAt, by: 1 },
    { at: Number.isNaN(answeredAt) ? Number.POSITIVE_INFINITY : answeredAt, by: -1 },
  ]);
  let [now, most] = [0, 0];
  for (const { at, by } of steps.sort((a, b) => a.at - b.at || a.by - b.by)) {
    now += by;
    if (at >= from && at < until) most = Math.max(most, now);
  }
  return most;
}

/** The most that arrived in any 60 seconds, by `weight`. */
export function mostInAMinute(calls: readonly SeenCall[], weight: (call: SeenCall) => number): number {
  const sorted = [...calls].sort((a, b) => a.arrivedAt - b.arrivedAt);
  let [sum, most, oldest] = [0, 0, 0];
  for (const call of sorted) {
    sum += weight(call);
    for (
      let first = sorted[oldest];
      first && first.arrivedAt <= call.arrivedAt - 60_000;
      first = sorted[oldest]
    ) {
      sum -= weight(first);
      oldest += 1;
    }
    most = Math.max(most, sum);
  }
  return most;
}

/** What most scenarios answer in. */
export const latency: Latency = { kind: "lognormal", medianMs: 50, sigma: 0.1 };

export function lines(count: number, of: (i: number) => Partial<ScenarioLine> = () => ({})): ScenarioLine[] {
  return Array.from({ length: count }, (_, i) => ({ model: "m", text: `line ${i}`, output: 20, ...of(i) }));
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
