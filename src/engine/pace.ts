import type { Clock } from "./clock.ts";

/**
 * What `auto` means: calls in flight per upstream and process. A number on which the engines of model servers
 * batch well and which hosted APIs bear; a pace that learns has its place here.
 */
export const autoConcurrency = 64;

/** Request bodies in flight to one upstream, in bytes; one call is always allowed. */
const maxBytesInFlight = 128 * 1024 * 1024;

/** How fast one upstream may be asked by this process. */
export interface Pace {
  readonly limit: number;
  readonly inFlight: number;
  hasRoom(): boolean;
  sent(bytes: number): void;
  answered(bytes: number): void;
}

export function createPace(limit: number): Pace {
  let inFlight = 0;
  let bytesInFlight = 0;
  return {
    limit,
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

/** A pause that an upstream asked for by Retry-After; it holds for a whole route. */
export interface Pause {
  until(atLeastMs: number): void;
  /** Milliseconds that are left, 0 when there is no pause. */
  left(): number;
}

/** Longer wishes are cut: a wrong header must not put a route to sleep for days. */
export const longestPauseMs = 10 * 60_000;

export function createPause(clock: Clock): Pause {
  let end = 0;
  return {
    until(atLeastMs) {
      end = Math.max(end, clock.monotonic() + Math.min(atLeastMs, longestPauseMs));
    },
    // Asked for each line, so without the clock as long as nobody ever asked for a pause.
    left: () => (end === 0 ? 0 : Math.max(0, end - clock.monotonic())),
  };
}
