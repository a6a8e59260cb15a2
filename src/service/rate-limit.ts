import type { StoredApiKey } from "../batch/api-key.ts";
import { NerifError } from "../batch/errors.ts";
import type { Clock } from "../engine/clock.ts";

export interface RateLimit {
  /** Spends one request of a key. @throws NerifError `rate_limit_exceeded`, with the time until one is free */
  take(key: StoredApiKey): void;
}

/**
 * A token bucket for each key of this process: `requests_per_second` flow in, and at most twice as many (but
 * one) wait to be spent.
 */
export function createRateLimit(clock: Clock): RateLimit {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take({ id, quotas }) {
      const perSecond = quotas.requests_per_second;
      if (perSecond === null) return;
      const now = clock.monotonic();
      const most = Math.max(1, 2 * perSecond);
      const { tokens, at } = buckets.get(id) ?? { tokens: most, at: now };
      const there = Math.min(most, tokens + ((now - at) / 1_000) * perSecond);
      if (there < 1) {
        const retryAfterMs = Math.ceil(((1 - there) / perSecond) * 1_000);
        throw new NerifError(
          "rate_limit_exceeded",
          `Cannot accept the request: this API key may make ${perSecond} requests per second, and the next is free in ${retryAfterMs} ms`,
          { retryAfterMs },
        );
      }
      buckets.set(id, { tokens: there - 1, at: now });
    },
  };
}
