import type { LaneState } from "../engine.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Lane } from "./lane.ts";

/** How every lane fares at `now`, in monotonic milliseconds; those that are forgotten are summed up by endpoint. */
export function laneStates(dispatchers: readonly Dispatcher[], now: number): LaneState[] {
  return dispatchers.flatMap(({ lanes, forgotten, upstream }) => [
    ...lanes.map((lane) => laneState(lane, now)),
    ...forgotten.map((counts) => ({ ...counts, upstream: upstream.name, ...nothingNow })),
  ]);
}

const nothingNow = { limit: 0, limitPerSecond: null, inFlight: 0, waiting: 0, rate: null, reason: null };

function laneState(lane: Lane, now: number): LaneState {
  const { endpoint, model, upstream, limit, inFlight, ratePerSecond, waiting, succeeded, failures } = lane;
  return {
    ...{ upstream: upstream.name, endpoint, model, limit, limitPerSecond: ratePerSecond, inFlight, waiting },
    ...{ succeeded, failures: { ...failures } },
    rate: lane.isIdle ? null : lane.rate(now),
    // With nothing to send nobody finds out whether the trouble is over, and nobody waits for it.
    reason: lane.isIdle ? null : (lane.reason(null)?.code ?? null),
  };
}
