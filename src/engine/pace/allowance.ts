import type { RateLimit } from "../../upstreams/upstream.ts";

/** What an upstream has said that it will still take. Times are monotonic milliseconds. */
export interface Allowance {
  /** Milliseconds until this much may be asked for; 0 when nothing is known. */
  waitMs(now: number, cost: number): number;
  spend(now: number, cost: number): void;
  /**
   * What `x-ratelimit-*` headers of an answer say about requests, or about tokens.
   * @param underWay what calls in flight may still take of what remains
   */
  told(report: RateLimit, now: number, underWay: number): void;
}

/** What was said longer ago is not believed any more. */
const validMs = 120_000;

/**
 * A bucket that is set by every answer: what remains, less what is under way and may not have been counted. Between
 * answers it fills as fast as the upstream's own: by what is missing, until the reset.
 */
export function createAllowance(): Allowance {
  let level = Number.POSITIVE_INFINITY;
  let limit = Number.POSITIVE_INFINITY;
  let rate = 0;
  let at = 0;
  let validUntil = 0;

  return {
    waitMs(now, cost) {
      if (level === Number.POSITIVE_INFINITY || now >= validUntil) return 0;
      const needed = Math.min(cost, limit);
      const there = Math.min(limit, level + (now - at) * rate);
      if (there >= needed) return 0;
      return rate > 0 ? (needed - there) / rate : validUntil - now;
    },
    spend(now, cost) {
      if (level === Number.POSITIVE_INFINITY) return;
      level = Math.min(limit, level + (now - at) * rate) - cost;
      at = now;
    },
    told(report, now, underWay) {
      const missing = report.limit - report.remaining;
      if (missing > 0 && report.resetMs > 0) rate = missing / report.resetMs;
      limit = report.limit;
      level = report.remaining - underWay;
      at = now;
      validUntil = now + Math.max(Math.min(report.resetMs, validMs), 1_000);
    },
  };
}
