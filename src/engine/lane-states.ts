import type { Dispatcher } from "./dispatcher.ts";
import type { LaneState } from "./engine.ts";
import type { Lane } from "./lane.ts";

/** How every lane fares at `now`, in monotonic milliseconds. */
export function laneStates(dispatchers: readonly Dispatcher[], now: number): LaneState[] {
  return dispatchers.flatMap(({ lanes }) => lanes.map((lane) => laneState(lane, now)));
}

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
