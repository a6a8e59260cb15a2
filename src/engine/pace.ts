import type { UpstreamBounds } from "../upstreams/upstream.ts";

/**
 * What `auto` means: calls in flight per upstream and process, as many as prove useful. More than a thousand at once
 * costs memory and connections that few upstreams reward.
 */
export const autoConcurrency: UpstreamBounds["concurrency"] = { least: 1, most: 1_000 };

/** Request bodies in flight to one upstream, in bytes; one call is always allowed. */
const maxBytesInFlight = 128 * 1024 * 1024;

/** How much may be in flight to one upstream from this process, over all its lanes. */
export interface Pace {
  readonly inFlight: number;
  hasRoom(): boolean;
  sent(bytes: number): void;
  answered(bytes: number): void;
}

export function createPace(limit: number): Pace {
  let inFlight = 0;
  let bytesInFlight = 0;
  return {
    get inFlight() {
      return inFlight;
    },
    hasRoom: () => inFlight < limit && (inFlight === 0 || bytesInFlight < maxBytesInFlight),
    sent(bytes) {
      inFlight += 1;
      bytesInFlight += bytes;
    },
    answered(bytes) {
      inFlight -= 1;
      bytesInFlight -= bytes;
    },
  };
}

/** Lines of a route that may wait for another try before nothing new is sent on it. */
export function maxWaiting(limit: number): number {
  return Math.max(2 * limit, 64);
}
