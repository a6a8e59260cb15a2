/** Calls to one receiver at once. */
const mostInFlight = 4;
const firstRestMs = 1_000;
const longestRestMs = 60_000;
/** A receiver that was asked nothing for so long was deleted, or is worth a fresh start. */
const forgetMs = 2 * 3_600_000;

/** How one receiver of webhooks is doing, so that one that is down or hangs costs the others nothing. */
export interface Receiver {
  inFlight: number;
  /** Milliseconds until it has room again by itself; null when it has room, or gets some when a call ends. */
  rest(now: number): number | null;
  /** Whether one more call may be made. One that has just failed rests, and is then asked one thing at a time. */
  hasRoom(now: number): boolean;
  succeeded(): void;
  failed(now: number): void;
  /** Whether nothing is known of it that has to be kept. */
  isForgettable(now: number): boolean;
}

export function createReceiver(): Receiver {
  let failures = 0;
  let restsUntil = 0;
  const receiver: Receiver = {
    inFlight: 0,
    hasRoom(now) {
      if (failures === 0) return receiver.inFlight < mostInFlight;
      return receiver.inFlight === 0 && restsUntil <= now;
    },
    rest: (now) => (failures > 0 && receiver.inFlight === 0 && restsUntil > now ? restsUntil - now : null),
    succeeded() {
      failures = 0;
    },
    failed(now) {
      restsUntil = now + Math.min(firstRestMs * 2 ** Math.min(failures, 20), longestRestMs);
      failures += 1;
    },
    isForgettable(now) {
      return receiver.inFlight === 0 && (failures === 0 || restsUntil + forgetMs <= now);
    },
  };
  return receiver;
}
