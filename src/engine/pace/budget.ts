/** What may be spent on calls in any 60 seconds: requests, or tokens. Times are monotonic milliseconds. */
export interface Budget {
  /** Milliseconds until this much may be spent. What is more than the whole budget waits until nothing else counts. */
  waitMs(now: number, cost: number): number;
  spend(now: number, cost: number): void;
  /** What was spent at `spentAt` turned out to be so much more; negative: less. */
  correct(spentAt: number, now: number, more: number): void;
}

const slotMs = 500;
const minuteMs = 60_000;
/** A minute, and the slot that is only partly older. */
const slots = minuteMs / slotMs + 1;
/** Of the budget, spent evenly; the rest makes up for what could not be foreseen. */
const evenShare = 0.985;
/** How long to wait before asking again where no part of it may be spent. */
const noPartMs = 1_000;
/** What may be spent at once, as milliseconds of the even flow. */
const burstMs = 2_000;

/**
 * Spends evenly (a bucket that fills at the rate of the budget, and may be overdrawn by one call), and never above
 * `perMinute` in any 60 seconds: a sum over slots of half a second, the one that is partly over included.
 *
 * @param part what of it may be spent here at a time, from 0 to 1, where others spend of it too
 */
export function createBudget(perMinute: number, part: (now: number) => number = () => 1): Budget {
  const spent = new Float64Array(slots);
  let most = perMinute;
  let rate = (perMinute * evenShare) / minuteMs;
  let burst = rate * burstMs;
  let slot = 0;
  let sum = 0;
  let level = burst;
  let levelAt = 0;

  function advance(now: number): void {
    const at = Math.floor(now / slotMs);
    for (let passed = Math.max(slot + 1, at - slots + 1); passed <= at; passed++) {
      sum -= spent[passed % slots] ?? 0;
      spent[passed % slots] = 0;
    }
    // Sums of fractions drift.
    if (at > slot + slots) sum = 0;
    slot = Math.max(slot, at);
    most = perMinute * part(now);
    rate = (most * evenShare) / minuteMs;
    burst = rate * burstMs;
    level = Math.min(burst, level + (now - levelAt) * rate);
    levelAt = now;
  }

  return {
    waitMs(now, cost) {
      advance(now);
      if (most === 0) return noPartMs;
      const needed = Math.min(cost, burst);
      if (level < needed) return (needed - level) / rate;
      if (sum + cost <= most || sum <= 0) return 0;
      return (slot + 1) * slotMs - now;
    },
    spend(now, cost) {
      advance(now);
      level -= cost;
      sum += cost;
      spent[slot % slots] = (spent[slot % slots] ?? 0) + cost;
    },
    correct(spentAt, now, more) {
      advance(now);
      // A wrong usage must not put the route to sleep for days.
      level = Math.max(Math.min(burst, level - more), -perMinute);
      const at = Math.floor(spentAt / slotMs);
      if (slot - at >= slots) return;
      sum += more;
      spent[at % slots] = (spent[at % slots] ?? 0) + more;
    },
  };
}
