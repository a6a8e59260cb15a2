import type { UpstreamBounds } from "../../upstreams/upstream.ts";
import type { Share } from "../pace/share.ts";

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

/** @param share of the limit; null: all */
export function createPace(limit: number, share: Share | null = null): Pace {
  let inFlight = 0;
  let bytesInFlight = 0;
  return {
    get inFlight() {
      return inFlight;
    },
    hasRoom: () =>
      inFlight < (share === null ? limit : partOf(limit, share())) &&
      (inFlight === 0 || bytesInFlight < maxBytesInFlight),
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

function partOf(limit: number, share: number): number {
  return Math.max(1, Math.floor(limit * share));
}

/** Lines of a route that may wait for another try before nothing new is sent on it. */
export function maxWaiting(limit: number): number {
  return Math.max(2 * limit, 64);
}
