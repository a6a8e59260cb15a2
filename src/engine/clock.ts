/** Time as the engine sees it; tests inject their own. */
export interface Clock {
  /** Unix time in milliseconds, for what users see and for completion windows. */
  now(): number;
  /** Milliseconds that never jump, for leases and waits. */
  monotonic(): number;
  /** Calls `callback` after `ms` milliseconds unless the returned function is called first. */
  after(ms: number, callback: () => void): () => void;
}

/** Unix seconds, the unit of every timestamp in the API. */
export function unixSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
