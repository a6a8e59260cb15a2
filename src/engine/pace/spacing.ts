/**
 * Once an upstream has refused calls, they are not sent in bursts: what is let in is then told by how many, and not by how
 * they happened to come. Times are monotonic milliseconds.
 */
export interface Spacing {
  /** The upstream counts. */
  begin(now: number): void;
  waitMs(now: number): number;
  sent(now: number, limit: number): void;
  served(sentAt: number, now: number): void;
  /** How long answers took says nothing any more. */
  restart(): void;
}

/** Twice as fast as answers come: so many calls in flight are there again within half the time that one takes. */
const speed = 2;
/** What a late timer may catch up with. */
const slackMs = 5;
const latencyWeight = 0.05;

export function createSpacing(): Spacing {
  let begun = false;
  /** Mean milliseconds of the latest answers; 0: there was none. */
  let latency = 0;
  let nextAt = 0;
  return {
    begin(now) {
      begun = true;
      nextAt = now;
    },
    waitMs: (now) => (begun ? Math.max(0, nextAt - now) : 0),
    sent(now, limit) {
      if (begun) nextAt = Math.max(nextAt, now - slackMs) + latency / (speed * limit);
    },
    served(sentAt, now) {
      const took = now - sentAt;
      latency = latency === 0 ? took : latency + (took - latency) * latencyWeight;
    },
    restart() {
      latency = 0;
      nextAt = 0;
    },
  };
}
