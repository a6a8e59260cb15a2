import { first, type ReplyHeaders } from "./retry-after.ts";
import type { RateLimit, RateLimits } from "./upstream.ts";

/** A header may ask for no more than this. */
const longestMs = 86_400_000;

/**
 * What `x-ratelimit-*` headers tell in the way of OpenAI: `limit`, `remaining` and `reset` (`6m0s`, `20ms`, or seconds) for
 * `requests` and `tokens`. Undefined when none of the two is told whole.
 */
export function rateLimitsIn(headers: ReplyHeaders): RateLimits | undefined {
  // Most answers have none of them: one look has to do.
  if (
    headers["x-ratelimit-remaining-requests"] === undefined &&
    headers["x-ratelimit-remaining-tokens"] === undefined
  ) {
    return undefined;
  }
  const requests = rateLimit(headers, "requests");
  const tokens = rateLimit(headers, "tokens");
  return requests === null && tokens === null ? undefined : { requests, tokens };
}

function rateLimit(headers: ReplyHeaders, of: "requests" | "tokens"): RateLimit | null {
  const limit = count(first(headers[`x-ratelimit-limit-${of}`]));
  const remaining = count(first(headers[`x-ratelimit-remaining-${of}`]));
  const resetMs = duration(first(headers[`x-ratelimit-reset-${of}`]));
  if (limit === null || remaining === null || resetMs === null || limit === 0) return null;
  return { limit, remaining: Math.min(remaining, limit), resetMs };
}

function count(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

const parts =
  /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/;
const units = [86_400_000, 3_600_000, 60_000, 1_000, 1];

/** `1h2m3.5s`, `20ms`, or a bare number of seconds. */
function duration(text: string | null): number | null {
  if (text === null || text === "" || text.length > 40) return null;
  if (/^\d{1,9}(?:\.\d{1,9})?$/.test(text)) return Math.min(Number(text) * 1_000, longestMs);
  const found = parts.exec(text);
  if (found === null) return null;
  const ms = units.reduce((sum, unit, i) => sum + Number(found[i + 1] ?? 0) * unit, 0);
  return Math.min(ms, longestMs);
}
