import type { Journal } from "../journal/journal.ts";
import type { RouteQueue } from "./dispatch/route-queue.ts";
import type { RouteProgress } from "./engine.ts";

export const stallWords = {
  disk_full: "The disk is full",
  storage_unavailable: "The storage of results does not answer; it is tried again",
};

/** One for each upstream of the route; the lines that are common to all are told with the first. */
export function routeProgress(
  queue: RouteQueue,
  { batchId, journal, now }: { batchId: string; journal: Journal; now: number },
): RouteProgress[] {
  const code = journal.stallReason;
  const stalled = { code, message: stallWords[code] };
  return queue.ways.map(({ lane, inFlight }, nth) => {
    const { endpoint, model, upstream, limit, ratePerSecond, succeeded } = lane;
    const reason = journal.stalled ? stalled : lane.reason(batchId);
    const { ready, waiting } = nth === 0 ? queue : { ready: 0, waiting: 0 };
    return {
      ...{ endpoint, model, upstream: upstream.name, limit, inFlight, ready, waiting, reason, succeeded },
      limitPerSecond: ratePerSecond,
      rate: lane.rate(now),
    };
  });
}

/** @param ready how many lines have this model, which no configured upstream serves */
export function withoutUpstream(model: string | null, ready: number): RouteProgress {
  const message = `No upstream is configured for the model ${JSON.stringify(model)}`;
  const none = {
    endpoint: null,
    upstream: null,
    limit: 0,
    inFlight: 0,
    waiting: 0,
    succeeded: 0,
    limitPerSecond: null,
    rate: null,
  };
  return { ...none, model, ready, reason: { code: "no_upstream", message } };
}
