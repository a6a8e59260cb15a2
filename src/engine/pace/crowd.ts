/** Tells refusals of too many calls at once from refusals of too many calls in a time. Times are monotonic milliseconds. */
export interface Crowd {
  /** Calls at once that should be let in, by the latest refusal that was taken for one of too many at once. */
  readonly limit: number;
  served(call: CrowdedCall): void;
  /**
   * A 429.
   * @param namesTime whether it says when to come back
   * @returns whether it was too many at once
   */
  refused(call: CrowdedCall, now: number, namesTime: boolean): boolean;
}

export interface CrowdedCall {
  readonly sentAt: number;
  /** Calls in flight when it was sent, itself among them. */
  readonly atOnce: number;
}

/** Refusals in a row with no more calls at once than were let in: a few come of answers that were on their way. */
const jitter = { withTime: 1, without: 5 };
const stepDown = 0.9;
/** With fewer in flight a refusal that names a time says nothing about calls at once. */
const fewest = 5;
/** So many more than the limit, and one, come of answers that were on their way. */
const tolerance = 1.1;

/**
 * With fewer at once than were refused, an upstream that counts those refuses no more until more are tried. One that counts
 * calls per time does, or lets more in at another time, and shows itself by that.
 */
export function createCrowd(): Crowd {
  let limit = Number.POSITIVE_INFINITY;
  /** Refusals since the last one of more than the limit. */
  let unexplained = 0;
  /** The most calls at once that were let in since the latest refusal. */
  let most = 0;
  let refusedAt = Number.NEGATIVE_INFINITY;
  let countsTime = false;
  return {
    get limit() {
      return limit;
    },
    served({ sentAt, atOnce }) {
      // Calls that were refused at the same time were still counted for those from before.
      if (sentAt >= refusedAt && atOnce > most) most = atOnce;
    },
    refused({ sentAt, atOnce }, now, namesTime) {
      if (countsTime) return false;
      // One event, not one per call; but no answer of it tells more than the one that had the fewest beside it.
      if (sentAt < refusedAt) {
        limit = Math.max(1, Math.min(limit, atOnce - 1));
        return true;
      }
      refusedAt = now;
      const fits = !namesTime || (atOnce >= fewest && most <= limit * tolerance + 1);
      most = 0;
      const tried = atOnce > limit || limit === Number.POSITIVE_INFINITY;
      unexplained = tried ? 0 : unexplained + 1;
      countsTime = !fits || unexplained > (namesTime ? jitter.withTime : jitter.without);
      limit = Math.max(1, Math.min(atOnce - 1, tried ? atOnce : Math.floor(limit * stepDown)));
      return !countsTime;
    },
  };
}
