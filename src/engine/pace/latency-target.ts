/** The most calls at once with which answers come within a time. Times are monotonic milliseconds. */
export interface LatencyTarget {
  /** Infinity while answers come in time anyway. */
  readonly most: number;
  /** Whether the latest round of answers came in time. */
  readonly isMet: boolean;
  /**
   * A call was answered.
   * @param limit the calls that were allowed at once
   * @param wasFull whether as many as `most` were in flight meanwhile: else there is no reason to allow more
   */
  answered(sentAt: number, now: number, { limit, wasFull }: { limit: number; wasFull: boolean }): void;
  /** Forgets what it knows, as the upstream may have become another one. */
  restart(now: number): void;
}

/** Answers whose mean is compared: as many as calls are allowed at once, and never fewer than these. */
const fewestAnswers = 4;
/** What is left of the limit at the most and at the least when answers take too long. */
const stepDown = { least: 0.5, most: 0.95 };
/** More is allowed below this share of the target, so that it does not swing around it. */
const inTime = 0.92;
const stepUp = 1.1;

/**
 * Compares the mean latency of a round of calls with the target: above it, fewer calls are allowed, in proportion, at most
 * half as many at once; clearly below it a tenth more.
 */
export function createLatencyTarget({ targetMs, floor }: { targetMs: number; floor: number }): LatencyTarget {
  let most = Number.POSITIVE_INFINITY;
  let isMet = false;
  let beganAt = Number.NEGATIVE_INFINITY;
  let answers = 0;
  let latencies = 0;

  function begin(now: number): void {
    beganAt = now;
    answers = latencies = 0;
  }

  return {
    get most() {
      return most;
    },
    get isMet() {
      return isMet;
    },
    answered(sentAt, now, { limit, wasFull }) {
      // Calls from before the last step were held up by those that it has taken away.
      if (sentAt < beganAt) return;
      answers += 1;
      latencies += now - sentAt;
      if (answers < Math.max(fewestAnswers, limit)) return;
      const ratio = targetMs / (latencies / answers);
      isMet = ratio >= 1;
      if (!isMet) {
        const left = Math.min(stepDown.most, Math.max(stepDown.least, ratio));
        most = Math.max(floor, Math.floor(limit * left));
      } else if (ratio * inTime > 1 && wasFull) {
        most = Math.max(most + 1, Math.floor(most * stepUp));
      }
      begin(now);
    },
    restart(now) {
      most = Number.POSITIVE_INFINITY;
      isMet = false;
      begin(now);
    },
  };
}
