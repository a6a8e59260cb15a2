import { firstModels } from "../engine/dispatch/idle-lanes.ts";
import type { LaneState } from "../engine/engine.ts";
import type { Metric, MetricSample } from "./metrics.ts";

const mostModelCharacters = 200;
/** Stands for all further models of an upstream: users name models, and each name costs whoever keeps the figures. */
const otherModels = "other";

type Labels = { upstream: string; endpoint: string; model: string };

/** What is counted or summed up over the lanes that have the same labels. */
interface Sum extends LaneState {
  paused: Map<string, number>;
}

/** Figures of each endpoint and model at each upstream. */
export function laneMetrics(lanes: readonly LaneState[]): Metric[] {
  const sums = sumUp(lanes);
  const each = (read: (sum: Sum) => number | null): MetricSample[] =>
    sums.flatMap(({ labels, sum }) => {
      const value = read(sum);
      return value === null ? [] : [{ labels, value }];
    });
  const gauge = (name: string, help: string, read: (sum: Sum) => number | null): Metric => ({
    ...{ name: `nerif_lane_${name}`, help, type: "gauge", samples: each(read) },
  });
  return [
    gauge("limit", "Calls that may be in flight at once, as far as is known now.", ({ limit }) => limit),
    gauge("in_flight", "Calls in flight.", ({ inFlight }) => inFlight),
    gauge("rate", "Successes per second over about the last 30 seconds.", ({ rate }) => rate),
    gauge(
      "limit_per_second",
      "Requests per second that the upstream lets through, learned from its refusals.",
      ({ limitPerSecond }) => limitPerSecond,
    ),
    gauge("lines_waiting", "Lines that failed and wait for another try.", ({ waiting }) => waiting),
    {
      name: "nerif_lane_paused",
      help: "1 when nothing new is sent for this reason though there is something to send.",
      type: "gauge",
      samples: sums.flatMap(({ labels, sum }) =>
        pauseReasons.map((reason) => ({ labels: { ...labels, reason }, value: sum.paused.get(reason) ?? 0 })),
      ),
    },
    {
      name: "nerif_calls_total",
      help: "Calls that came back, each try of a line being one, by what came of them; throttled: 429.",
      type: "counter",
      samples: sums.flatMap(({ labels, sum: { succeeded, failures } }) =>
        Object.entries({ succeeded, ...failures }).map(([outcome, value]) => ({
          labels: { ...labels, outcome },
          value,
        })),
      ),
    },
  ];
}

const pauseReasons = ["outage", "unreachable", "throttled", "account"] as const;

/** One entry for each combination of labels, in the order of the lanes. */
function sumUp(lanes: readonly LaneState[]): { labels: Labels; sum: Sum }[] {
  const named = new Map<string, Set<string>>();
  const sums = new Map<string, { labels: Labels; sum: Sum }>();
  for (const lane of lanes) {
    const { upstream, endpoint } = lane;
    const models = named.get(upstream) ?? new Set();
    named.set(upstream, models);
    const labels = { upstream, endpoint, model: modelLabel(lane.model, models) };
    const key = JSON.stringify(labels);
    const before = sums.get(key);
    sums.set(key, { labels, sum: before === undefined ? sumOf(lane) : added(before.sum, sumOf(lane)) });
  }
  return [...sums.values()];
}

/** The first that came up keep their names for as long as the process lives: a counter must not fall. */
function modelLabel(model: string | null, named: Set<string>): string {
  const name = (model ?? "").slice(0, mostModelCharacters).toWellFormed();
  if (named.has(name)) return name;
  if (named.size >= firstModels) return otherModels;
  named.add(name);
  return name;
}

function sumOf(lane: LaneState): Sum {
  return { ...lane, paused: new Map(lane.reason === null ? [] : [[lane.reason, 1]]) };
}

function added(a: Sum, b: Sum): Sum {
  const paused = new Map(a.paused);
  for (const [reason, lanes] of b.paused) paused.set(reason, (paused.get(reason) ?? 0) + lanes);
  const failures = { ...a.failures };
  for (const reason of Object.keys(failures) as (keyof typeof failures)[]) {
    failures[reason] += b.failures[reason];
  }
  return {
    ...a,
    limit: a.limit + b.limit,
    limitPerSecond: addedOrNull(a.limitPerSecond, b.limitPerSecond),
    inFlight: a.inFlight + b.inFlight,
    waiting: a.waiting + b.waiting,
    rate: addedOrNull(a.rate, b.rate),
    succeeded: a.succeeded + b.succeeded,
    failures,
    paused,
  };
}

function addedOrNull(a: number | null, b: number | null): number | null {
  return a === null && b === null ? null : (a ?? 0) + (b ?? 0);
}
