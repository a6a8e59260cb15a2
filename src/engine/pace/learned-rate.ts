/**
 * The requests per second that an upstream lets through, learned from 429s. There is none
 * until the first of them. Times are monotonic milliseconds.
 */
export interface LearnedRate {
  /** Requests per second; null as long as nothing is known to limit them. */
  readonly perSecond: number | null;
  /** Milliseconds until a call may be sent. */
  waitMs(now: number): number;
  sent(now: number): void;
  /** A call that was sent at `sentAt` succeeded. */
  served(sentAt: number): void;
  /** A call that was sent at `sentAt` came back, whatever came of it; called first. */
  returned(sentAt: number): void;
  /** A 429 to a call that was sent at `sentAt`. */
  refused(sentAt: number, now: number, retryAfterMs: number): void;
  /** Nothing is sent for a while, for another reason. */
  paused(now: number, ms: number): void;
}

/** Calls are counted in slots of the latest second. */
const slotMs = 125;
const slots = 8;
const windowMs = slotMs * slots;
/** Kept below what was measured, so that the edge is met rarely. */
const margin = 0.99;
/** One call a minute. */
const slowest = 1 / 60_000;
/** Calls that may go out at once: so many milliseconds' worth. */
const burstMs = { most: 100, least: 5 };
const stepMs = 1_000;
const firstGrowth = 0.01;
const mostGrowth = 0.3;
/** An attempt to raise the rate costs a pause at worst: the first comes after so many times that pause. */
const holdPerPause = 20;
const longestHold = { ms: 120_000, pauses: 4 };
/** The rate of the latest second may have lived on what was saved up during a pause: it is believed to this share. */
const latestShare = 0.97;
/** Fewer calls within a second measure nothing: the rate is halved at most. */
const fewCalls = 10;
/** How long to wait, at least, where nothing gets through; it doubles. */
const firstShutMs = 1_000;
const longestShutMs = 8_000;

/**
 * For refusals that are about calls per time, not about calls at once (see `crowd.ts`). The rate that got through is kept to
 * from then on, and tried to be raised: by 1 %, 2 %, 4 % each second, after a rest that doubles with every
 * refusal, so that a limit that stays costs ever fewer calls.
 */
export function createLearnedRate(): LearnedRate {
  const counts = new Float64Array(slots);
  let slot = 0;
  /** Calls per millisecond. */
  let rate = Number.POSITIVE_INFINITY;
  let level = 0;
  let levelAt = 0;
  let cycleBeganAt = Number.NaN;
  let sentInCycle = 0;
  let pausedUntil = 0;
  let growth = firstGrowth;
  let growAt = 0;
  /** The rate before it was raised the last time, and before that: a refusal comes up to a second late. */
  let before = { last: 0, earlier: 0 };
  /** How much a further refusal of the same event takes off the rate. */
  let perRefusal = 0;
  let burst = burstMs.most;
  let holdMs = 0;
  /** Whether a call that was sent since then has succeeded, and cycles that have ended before one had. */
  let doubtSince = Number.NEGATIVE_INFINITY;
  let getsThrough = false;
  let shutCycles = 0;
  /** Calls that were sent since then, and in this cycle, and have not come back. */
  let pending = 0;
  let pendingInCycle = 0;

  function advance(now: number): void {
    const at = Math.floor(now / slotMs);
    if (at - slot >= slots) counts.fill(0);
    else for (let passed = slot + 1; passed <= at; passed++) counts[passed % slots] = 0;
    slot = Math.max(slot, at);
  }

  function learn(now: number, retryAfterMs: number): void {
    advance(now);
    let latest = -1;
    for (const count of counts) latest += count;
    const cycleMs = now - cycleBeganAt;
    const isFirst = rate === Number.POSITIVE_INFINITY;
    // Whoever says "in so many seconds" mostly rounded up, and no limit is for less than a second.
    const flowMs = now - Math.max(cycleBeganAt, pausedUntil);
    const span = isFirst ? Math.max(flowMs + retryAfterMs - 1_000, windowMs) : Math.max(cycleMs, 1);
    const whole = (sentInCycle - 1) / span;
    // What is refused for longer than a second is counted over a longer time.
    const isOfSeconds = retryAfterMs <= windowMs;
    let measured = isOfSeconds ? Math.max(whole, (latest / windowMs) * latestShare) : whole;
    if (!isFirst && latest < fewCalls) measured = Math.max(measured, rate / 2);
    const justRaised = !isFirst && growth > firstGrowth && now < growAt + stepMs;
    perRefusal = isFirst ? margin / span : 0;
    // Never up by a refusal, and never to nothing.
    rate = Math.max((justRaised ? before.earlier : Math.min(measured, rate)) * margin, slowest);
  }

  function beginCycle(now: number): void {
    cycleBeganAt = now;
    sentInCycle = 0;
    pendingInCycle = 0;
    // Answers may take many cycles: as long as none has come it is asked about the same time.
    if (getsThrough) {
      doubtSince = now;
      pending = 0;
    }
    getsThrough = false;
  }

  function grow(now: number): void {
    // Several steps at once after a pause would be a jump that nothing has shown to be safe.
    before = { last: rate, earlier: growth > firstGrowth ? before.last : rate };
    rate *= 1 + growth;
    growth = Math.min(2 * growth, mostGrowth);
    growAt = now + stepMs;
  }

  function refill(now: number): void {
    if (now >= growAt) grow(now);
    level = Math.min(Math.max(1, rate * burst), level + (now - levelAt) * rate);
    levelAt = now;
  }

  return {
    get perSecond() {
      return rate === Number.POSITIVE_INFINITY ? null : rate * 1_000;
    },
    waitMs(now) {
      if (now < pausedUntil) return pausedUntil - now;
      if (rate === Number.POSITIVE_INFINITY) return 0;
      refill(now);
      return level >= 1 ? 0 : (1 - level) / rate;
    },
    sent(now) {
      if (Number.isNaN(cycleBeganAt)) cycleBeganAt = now;
      if (rate !== Number.POSITIVE_INFINITY) level -= 1;
      advance(now);
      counts[slot % slots] = (counts[slot % slots] ?? 0) + 1;
      sentInCycle += 1;
      pending += 1;
      pendingInCycle += 1;
    },
    returned(sentAt) {
      if (sentAt >= doubtSince) pending = Math.max(0, pending - 1);
      if (sentAt >= cycleBeganAt) pendingInCycle = Math.max(0, pendingInCycle - 1);
    },
    served(sentAt) {
      if (sentAt < doubtSince) return;
      getsThrough = true;
      shutCycles = 0;
    },
    paused(now, ms) {
      beginCycle(now);
      pausedUntil = Math.max(pausedUntil, now + ms);
    },
    refused(sentAt, now, retryAfterMs) {
      if (sentAt < cycleBeganAt) {
        pausedUntil = Math.max(pausedUntil, now + retryAfterMs);
        rate = Math.max(rate - perRefusal, slowest);
        return;
      }
      // Where nothing gets through there is no rate to be measured: it is shut, not slow.
      // What was sent in an earlier cycle and is still worked on got through.
      if (!getsThrough && pending <= pendingInCycle) {
        const rest = Math.min(firstShutMs * 2 ** shutCycles, longestShutMs);
        shutCycles += 1;
        beginCycle(now);
        perRefusal = 0;
        pausedUntil = Math.max(pausedUntil, now + Math.max(retryAfterMs, rest));
        return;
      }
      learn(now, retryAfterMs);
      holdMs = Math.min(
        Math.max(2 * holdMs, holdPerPause * retryAfterMs),
        Math.max(longestHold.ms, longestHold.pauses * retryAfterMs),
      );
      burst = Math.max(burst / 2, burstMs.least);
      growth = firstGrowth;
      pausedUntil = now + retryAfterMs;
      growAt = pausedUntil + holdMs;
      beginCycle(now);
      level = 0;
      levelAt = pausedUntil;
    },
  };
}
