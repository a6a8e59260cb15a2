/** Time as the engine sees it; tests inject their own. */
export interface Clock {
  /** Unix time in milliseconds, for what users see and for completion windows. */
  now(): number;
  /** Milliseconds that never jump, for leases and waits. */
  monotonic(): number;
  /** Calls `callback` after `ms` milliseconds unless the returned function is called first. */
  after(ms: number, callback: () => void, options?: { keepAlive?: boolean }): () => void;
}

/** Unix seconds, the unit of every timestamp in the API. */
export function unixSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

/** Timers of Node cannot wait longer: what they cannot hold is over at once. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * The clock of the machine.
 * @param options.keepAlive whether waits keep the process alive unless they say otherwise; default true
 */
export function createSystemClock({ keepAlive = true }: { keepAlive?: boolean } = {}): Clock {
  return {
    now: Date.now,
    monotonic: () => performance.now(),
    after(ms, callback, options) {
      const isHeld = keepAlive && options?.keepAlive !== false;
      let timer: NodeJS.Timeout;
      function sleep(left: number): void {
        const rest = left - longestTimerMs;
        timer = rest > 0 ? setTimeout(sleep, longestTimerMs, rest) : setTimeout(callback, left);
        if (!isHeld) timer.unref();
      }
      sleep(ms);
      return () => clearTimeout(timer);
    },
  };
}
