import { createRound } from "./round.ts";

/** How many calls may be in flight at once, learned from what became of earlier ones. Times are monotonic milliseconds. */
export interface Concurrency {
  /** A whole number between floor and ceiling. */
  readonly limit: number;
  /** More was tried and did no better, or cannot be tried: as far as is known, the limit is what the upstream bears. */
  readonly settled: boolean;
  /**
   * The upstream did its work, whatever it answered.
   * @param wasFull whether as many calls as are allowed were in flight meanwhile: else the answer says nothing about the limit
   */
  served(sentAt: number, now: number, wasFull: boolean): void;
  /** The upstream said that it is too much. */
  refused(sentAt: number, now: number): void;
  /** It said that more than `most` calls at once are too much, and when to come back. */
  crowded(sentAt: number, now: number, told: { most: number; pauseMs: number }): void;
  /** It broke, timed out or answered 5xx, which may be the call's own fault. */
  failed(sentAt: number, now: number): void;
  /** Begins small again, after an outage or a long rest. */
  restart(now: number): void;
  /** Goes on after a time in which fewer calls were let through than the limit says: a trial of that time tells nothing. */
  resume(now: number): void;
}

export interface ConcurrencyOptions {
  /** Least and most calls in flight; the same number twice is a fixed limit. */
  floor: number;
  ceiling: number;
}

/** Calls in flight at the very start. */
const firstLimit = 4;
/** How uncertain a mean latency may be, as a share of it, before it is compared; at the start speed matters more. */
const tolerance = { start: 0.2, later: 0.1 };
/** With so many answers a mean latency is compared, however uncertain it is: this, or four for each call in flight. */
const enoughAnswers = 96;
/** The calls that fill a raised limit meet an upstream that is not as full yet: so much of a latency is let pass. */
const settling = 0.1;
/** A step up or down beside a limit that does well: coarse where few calls make measurements uncertain. */
const steps = { few: 2, fewCalls: 16, many: Math.SQRT2 };
/**
 * How much of more calls in flight has to arrive as more answers a second, as an exponent: twice the calls must bring
 * 2^0.32 = 1.25 times the answers. With less they only wait longer.
 */
const worthwhile = 0.32;
/** Above this the upstream is far from full, and doubling goes on. */
const nearlyFree = 0.7;
/** Latency against the best one from which on it is worth trying with fewer calls. */
const suspectLatency = 1.25;
/** Answers within so many milliseconds keep nobody waiting, and more calls at once cost less each. */
const harmlessMs = 10;
/** What is left after a refusal at a number that was fine until now. */
const backOff = 0.7;
/** Room above the knee that Little's law tells. */
const headroom = 1.25;
/** Longest rest between two attempts to raise the limit. */
const longestHoldMs = 2_000;
/** A refusal that names a time costs that time: the rest after it, the first one and the longest, in proportion to it. */
const firstHold = 4;
const longestHold = 60;
/** With so many times the calls it has become another upstream. */
const newRoom = 1.5;

/**
 * Finds the number of calls in flight above which an upstream answers no faster.
 *
 * First it doubles, once per round trip. Then it tries more from time to time, and fewer when answers take longer than
 * they did at best: a round of calls under the other limit is measured and compared with the one before. The number in
 * flight divided by the mean latency is the rate (Little's law).
 * A refusal takes it back to the last number that was borne, at once; calls that began before are not counted again.
 */
export function createConcurrency({ floor, ceiling }: ConcurrencyOptions): Concurrency {
  const round = createRound();
  let limit = clamp(firstLimit);
  let doubling = true;
  let trying: "nothing" | "more" | "fewer" = "nothing";
  /** Where a trial began, and the answers a millisecond there. */
  let base = { limit: 0, rate: 0 };
  /** The highest limit that a whole round went through without a refusal; 0 when that is not known. */
  let borne = 0;
  /** Mean latency where it was measured to be best. */
  let best = Number.POSITIVE_INFINITY;
  /** When a refusal has shown where it ends: the next step up in calls; it doubles as long as nothing is refused. */
  let growth = 0;
  let backedOffAt = Number.NEGATIVE_INFINITY;
  let holdMs = 0;
  let holdUntil = 0;
  let settled = false;
  /** The latest refusal that named a time, and the rest after it. */
  let crowd = { most: Number.POSITIVE_INFINITY, holdMs: 0 };

  function clamp(wanted: number): number {
    return Math.round(Math.min(ceiling, Math.max(floor, wanted)));
  }

  function change(wanted: number, now: number): void {
    const settlingMs = doubling ? 0 : (limit / base.rate) * settling;
    limit = clamp(wanted);
    round.begin(now + (Number.isFinite(settlingMs) ? settlingMs : 0));
  }

  function endRound(now: number): void {
    const { latency } = round;
    const rate = limit / latency;
    if (trying !== "fewer") borne = limit;
    if (doubling) double(rate, now);
    else if (trying === "more") judgeMore(rate, now);
    else if (trying === "fewer") judgeFewer(rate, now);
    else consider(rate, now);
  }

  function double(rate: number, now: number): void {
    const ratio = limit / base.limit;
    const gain = rate / base.rate;
    const goOn = base.limit === 0 || isHarmless(rate) || gain >= ratio ** nearlyFree;
    if (goOn || gain >= ratio ** worthwhile) best = Math.min(best, limit / rate);
    if (goOn && limit < ceiling) {
      base = { limit, rate };
      change(limit * 2, now);
      return;
    }
    doubling = false;
    if (limit < ceiling && gain >= ratio ** worthwhile) {
      base = { limit, rate };
      tryMore(now);
      return;
    }
    // Little's law: as many calls as it works on at that rate when none of them waits.
    change(goOn ? limit : Math.min(limit, base.limit * gain * headroom), now);
  }

  /** Nothing is being tried: should something be? */
  function consider(rate: number, now: number): void {
    best = Math.min(best, limit / rate);
    base = { limit, rate };
    if (isSlow(rate)) tryFewer(now);
    else if (now >= holdUntil && limit < ceiling) tryMore(now);
    else {
      settled = true;
      round.begin(now);
    }
  }

  function isSlow(rate: number): boolean {
    return limit > floor && !isHarmless(rate) && limit / rate > best * (suspectLatency + round.uncertainty);
  }

  function isHarmless(rate: number): boolean {
    return limit / rate < harmlessMs;
  }

  function step(): number {
    return limit < steps.fewCalls ? steps.few : steps.many;
  }

  function tryFewer(now: number): void {
    trying = "fewer";
    settled = false;
    change(Math.min(limit - 1, limit / step()), now);
  }

  function tryMore(now: number): void {
    trying = "more";
    settled = false;
    const most = limit * step();
    change(Math.max(limit + 1, growth > 0 ? Math.min(limit + growth, most) : most), now);
  }

  function judgeMore(rate: number, now: number): void {
    const ratio = limit / base.limit;
    trying = "nothing";
    // A handful more cannot be seen in the rate; that nothing was refused is all that there is to know.
    const unseen = growth > 0 && limit - base.limit <= 2;
    if (!unseen && !isHarmless(rate) && rate < base.rate * ratio ** worthwhile) {
      // Else fewer may do as well, which is looked at next.
      settled = base.limit / base.rate <= best * suspectLatency;
      rest(now);
      change(base.limit, now);
      return;
    }
    growth *= 2;
    holdMs = 0;
    base = { limit, rate };
    if (limit < ceiling) tryMore(now);
    else change(limit, now);
  }

  function judgeFewer(rate: number, now: number): void {
    const ratio = base.limit / limit;
    trying = "nothing";
    if (base.rate >= rate * ratio ** worthwhile) {
      // It takes longer now with any number in flight, and that is the best there is.
      best = limit / rate;
      settled = true;
      change(base.limit, now);
      return;
    }
    borne = limit;
    base = { limit, rate };
    if (isSlow(rate)) tryFewer(now);
    else change(limit, now);
  }

  function rest(now: number): void {
    holdMs = Math.min(longestHoldMs, Math.max(2 * holdMs, now - round.beganAt));
    holdUntil = now + holdMs;
  }

  function yieldTo(wanted: number, now: number): void {
    doubling = false;
    trying = "nothing";
    growth = 1;
    backedOffAt = now;
    change(wanted, now);
    borne = limit;
    settled = true;
  }

  return {
    get limit() {
      return limit;
    },
    get settled() {
      return settled;
    },
    served(sentAt, now, wasFull) {
      if (!round.answered(sentAt, now, wasFull)) return;
      if (round.answers < limit) return;
      const isUncertain = round.uncertainty > (doubling ? tolerance.start : tolerance.later);
      if (isUncertain && round.answers < Math.min(enoughAnswers, 4 * limit)) return;
      if (round.wasFull) {
        endRound(now);
      } else {
        round.begin(now);
        settled = !doubling;
      }
    },
    refused(sentAt, now) {
      // One event, not one per call: those that were on their way tell nothing new.
      if (sentAt < backedOffAt) return;
      rest(now);
      yieldTo(borne > 0 && limit > borne ? borne : limit * backOff, now);
    },
    crowded(sentAt, now, { most, pauseMs }) {
      if (sentAt < backedOffAt) {
        if (most < limit) yieldTo(most, now);
        return;
      }
      // Small steps up to where it was refused before are no news.
      const least = most < crowd.most * newRoom ? 2 * crowd.holdMs : 0;
      holdMs = Math.min(Math.max(least, firstHold * pauseMs), Math.max(longestHoldMs, longestHold * pauseMs));
      crowd = { most, holdMs };
      holdUntil = now + pauseMs + holdMs;
      yieldTo(most, now);
    },
    failed(sentAt, now) {
      if (sentAt < backedOffAt || !round.failed(sentAt)) return;
      if (round.failures >= Math.max(4, round.answers, limit / 2)) {
        rest(now);
        yieldTo(limit * backOff, now);
      }
    },
    restart(now) {
      doubling = true;
      trying = "nothing";
      base = { limit: 0, rate: 0 };
      best = Number.POSITIVE_INFINITY;
      borne = growth = holdMs = 0;
      backedOffAt = now;
      settled = false;
      change(Math.min(limit, firstLimit), now);
    },
    resume(now) {
      const from = trying === "nothing" ? limit : base.limit;
      trying = "nothing";
      settled = false;
      change(from, now);
    },
  };
}
