import type { Latency } from "../../src/upstreams/simulator/latency.ts";
import {
  latency,
  lines,
  percent,
  rate,
  type Scenario,
  type SeenCall,
  sendsPerLine,
  type Verdict,
} from "./scenario.ts";

export function rateLimit(kind: "window" | "bucket"): Scenario {
  return {
    name: `limit of 100 requests/s with 429 + Retry-After (${kind === "window" ? "counted per second" : "token bucket"})`,
    reach: "1.05 sends a line or fewer, 95 % of the limit",
    upstreams: [{ name: "a", rules: [{ latency, rate: { perSecond: 100, burst: 100, kind } }] }],
    batches: [{ lines: lines(12_000) }],
    endMs: 60_000,
    judge({ calls }) {
      // What a bucket has saved up at the start is not the limit.
      return verdict(calls, {
        share: (rate(calls, 0, 60_000) * 60 - (kind === "bucket" ? 100 : 0)) / (100 * 60),
        least: 0.95,
      });
    },
  };
}

export function slowAnswers(): Scenario {
  const slow: Latency = { kind: "lognormal", medianMs: 800, sigma: 0.5 };
  return {
    name: "limit of 20 requests/s with 429 + Retry-After, answers of 0.8 s",
    reach: "1.05 sends a line or fewer, 90 % of the limit from 20 s on",
    upstreams: [
      { name: "a", rules: [{ latency: slow, rate: { perSecond: 20, burst: 20, kind: "window" } }] },
    ],
    batches: [{ lines: lines(2_400) }],
    endMs: 80_000,
    judge({ calls }) {
      return verdict(calls, { share: rate(calls, 20_000, 80_000) / 20, least: 0.9 });
    },
  };
}

export function silent(): Scenario {
  const limit = { perSecond: 20, burst: 20, kind: "window" } as const;
  return {
    name: "limit of 20 requests/s with 429 that names no time",
    reach: "1.05 sends a line or fewer, 85 % of the limit",
    upstreams: [{ name: "a", rules: [{ latency, rate: limit, retryAfterMs: null }] }],
    batches: [{ lines: lines(2_400) }],
    endMs: 60_000,
    judge({ calls }) {
      return verdict(calls, { share: rate(calls, 0, 60_000) / 20, least: 0.85 });
    },
  };
}

/** @param share of the limit that was used, and the least that it has to be */
function verdict(calls: readonly SeenCall[], { share, least }: { share: number; least: number }): Verdict {
  const sends = sendsPerLine(calls);
  return {
    figures: `${sends.toFixed(3)} sends a line, ${percent(share)} of the limit`,
    reached: sends <= 1.05 && share >= least,
  };
}
