import { latency, lines, percent, type Scenario, type ScenarioResult, used } from "./scenario.ts";

/* Batches beside live traffic. */

export function shareOfCapacity(): Scenario {
  return {
    name: "half of an unknown capacity, 40 slots of 100 ms (`max_share: 0.5`)",
    reach: "40 to 60 % of the slots at work from 5 s on, more than 60 % of them for at most 10 % of the time",
    upstreams: [
      { name: "a", rules: [{ latency: { kind: "lognormal", medianMs: 100, sigma: 0.1 }, slots: 40 }] },
    ],
    batches: [{ lines: lines(60_000) }],
    yields: { maxShare: 0.5 },
    endMs: 130_000,
    judge({ calls }) {
      const share = used(calls, 40, [5_000, 130_000]);
      const seconds = Array.from({ length: 125 }, (_, i) =>
        used(calls, 40, [(i + 5) * 1_000, (i + 6) * 1_000]),
      );
      const above = seconds.filter((part) => part > 0.6).length / seconds.length;
      return {
        figures: `${percent(share)} of the slots, more than 60 % of them for ${percent(above)} of the time`,
        reached: share >= 0.4 && share <= 0.6 && above <= 0.1,
      };
    },
  };
}

/** Live traffic comes and goes: each call of the batch is held up twice as much as before. */
const busy = { from: 20_000, until: 40_000, slowdown: 0.04 };

export function latencyTarget(): Scenario {
  const targetLatencyMs = 100;
  return {
    name: "latency grows with each call, twice as fast beside live traffic (`target_latency: 100ms`)",
    reach: "a mean of 85 to 105 ms before, during and after it, from 5 s on each time",
    upstreams: [{ name: "a", rules: [{ latency, slowdown: 0.02 }, busy] }],
    batches: [{ lines: lines(60_000) }],
    yields: { targetLatencyMs },
    endMs: 60_000,
    judge({ calls }) {
      const means = [5, 25, 45].map((from) => meanLatency(calls, from * 1_000, (from + 15) * 1_000));
      return {
        figures: means.map((mean) => `${mean.toFixed(0)} ms`).join(", then "),
        reached: means.every((mean) => mean >= 85 && mean <= 105),
      };
    },
  };
}

function meanLatency(calls: ScenarioResult["calls"], from: number, until: number): number {
  const there = calls.filter(({ answeredAt }) => answeredAt >= from && answeredAt < until);
  return there.reduce((sum, { arrivedAt, answeredAt }) => sum + answeredAt - arrivedAt, 0) / there.length;
}
