import { describe, expect, it } from "vitest";
import type { LaneState } from "../engine/engine.ts";
import { laneMetrics } from "./lane-metrics.ts";
import type { MetricSample } from "./metrics.ts";

const noFailures: LaneState["failures"] = {
  ...{ rejected: 0, account: 0, throttled: 0, unavailable: 0, refused: 0 },
  ...{ reset: 0, timeout: 0, too_large: 0, aborted: 0 },
};

function lane(more: Partial<LaneState> = {}): LaneState {
  return {
    ...{ upstream: "local", endpoint: "/v1/embeddings", model: "m", limit: 8, limitPerSecond: null },
    ...{ inFlight: 3, waiting: 2, rate: 1.5, reason: null, succeeded: 10, failures: noFailures },
    ...more,
  };
}

function samplesOf(name: string, lanes: LaneState[]): MetricSample[] {
  return laneMetrics(lanes).find((metric) => metric.name === name)?.samples ?? [];
}

/** The value with these labels; undefined when there is none. */
function valueAt(name: string, lanes: LaneState[], labels: Record<string, string>): number | undefined {
  const fits = (sample: MetricSample) =>
    Object.entries(labels).every(([label, text]) => sample.labels?.[label] === text);
  return samplesOf(name, lanes).find(fits)?.value;
}

const many = Array.from({ length: 150 }, (_, nth) => lane({ model: `m${nth}` }));

describe("laneMetrics()", () => {
  it("tells how each route fares at each upstream", () => {
    const there = { upstream: "hosted", endpoint: "/v1/embeddings", model: "m" };
    const lanes = [
      lane(),
      lane({ ...there, limit: 4, limitPerSecond: 97.5, inFlight: 1, waiting: 0, rate: null, succeeded: 0 }),
    ];
    expect(valueAt("nerif_lane_limit", lanes, there)).toBe(4);
    expect(valueAt("nerif_lane_in_flight", lanes, there)).toBe(1);
    expect(valueAt("nerif_lane_lines_waiting", lanes, { upstream: "local" })).toBe(2);
    expect(samplesOf("nerif_lane_rate", lanes).map(({ value }) => value)).toEqual([1.5]);
    expect(samplesOf("nerif_lane_limit_per_second", lanes).map(({ value }) => value)).toEqual([97.5]);
  });

  it("shows why a route is paused, and that it is not for any other reason", () => {
    const paused = samplesOf("nerif_lane_paused", [lane({ reason: "throttled" })]);
    expect(Object.fromEntries(paused.map(({ labels, value }) => [labels?.reason, value]))).toEqual({
      outage: 0,
      unreachable: 0,
      throttled: 1,
      account: 0,
    });
  });

  it("counts calls by what came of them, those that never came too", () => {
    const lanes = [lane({ failures: { ...noFailures, throttled: 7 } })];
    const calls = samplesOf("nerif_calls_total", lanes);
    expect(calls.map(({ labels }) => labels?.outcome)).toContain("timeout");
    expect(valueAt("nerif_calls_total", lanes, { outcome: "throttled" })).toBe(7);
    expect(calls.reduce((sum, { value }) => sum + value, 0)).toBe(17);
  });

  it("gives the first hundred models of an upstream names of their own, and sums the others up", () => {
    const lanes = [
      ...many,
      lane({ model: "m149", endpoint: "/v1/completions", reason: "account", limitPerSecond: 2, rate: null }),
      lane({ model: "m149", upstream: "hosted" }),
      lane({ model: "m3", endpoint: "/v1/completions" }),
    ];
    const limits = samplesOf("nerif_lane_limit", lanes);
    // 100 models and their sum, and the last three.
    expect(limits.length).toBe(104);
    const other = { upstream: "local", endpoint: "/v1/embeddings", model: "other" };
    expect(valueAt("nerif_lane_limit", lanes, other)).toBe(50 * 8);
    expect(valueAt("nerif_calls_total", lanes, { ...other, outcome: "succeeded" })).toBe(50 * 10);
    expect(valueAt("nerif_lane_rate", lanes, other)).toBe(75);
    expect(valueAt("nerif_lane_limit", lanes, { upstream: "hosted", model: "m149" })).toBe(8);
    expect(valueAt("nerif_lane_limit", lanes, { endpoint: "/v1/completions", model: "m3" })).toBe(8);
    const elsewhere = { endpoint: "/v1/completions", model: "other", reason: "account" };
    expect(valueAt("nerif_lane_paused", lanes, elsewhere)).toBe(1);
  });

  it("never has two values with the same labels, however models are named", () => {
    const long = "x".repeat(300);
    const names = ["", null, long, `${long}y`, "other", "\ud800", "\ud801"];
    const lanes = [...names.map((model) => lane({ model })), ...many];
    for (const { samples } of laneMetrics(lanes)) {
      const keys = samples.map(({ labels }) => JSON.stringify(labels));
      expect(new Set(keys).size).toBe(keys.length);
    }
    expect(
      samplesOf("nerif_lane_limit", lanes).every(({ labels }) => (labels?.model ?? "").length <= 200),
    ).toBe(true);
  });
});
