/** Answers that may ask for a pause; on any other status the header means something else or nothing. */
const askers = new Set([429, 503]);

/** A longer wish is cut to this: a day. Timers overflow at 24 days, and no batch should sleep on one bad header. */
const longestMs = 86_400_000;

/** Headers as undici gives them: names in lower case, repeated ones as an array. */
export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Milliseconds that the upstream asked to wait, from `retry-after-ms` or `Retry-After` (seconds or an HTTP date),
 * or null.
 *
 * @param now Unix time in milliseconds, used for a date when the answer does not say its own time
 */
export function retryAfterMs(status: number, headers: ReplyHeaders, now: number): number | null {
  if (!askers.has(status)) return null;
  const ms = count(first(headers["retry-after-ms"]));
  if (ms !== null) return Math.min(ms, longestMs);
  const text = first(headers["retry-after"]);
  const seconds = count(text);
  if (seconds !== null) return Math.min(seconds * 1_000, longestMs);
  // Against the upstream's own clock where it is known: the two need not agree.
  const until = date(text);
  return until === null ? null : Math.min(Math.max(0, until - (date(first(headers.date)) ?? now)), longestMs);
}

/** The value of a header, the first one when it is repeated. */
export function first(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function count(text: string | null): number | null {
  return text !== null && /^\s*\d{1,12}(?:\.\d{1,9})?\s*$/.test(text) ? Number(text) : null;
}

function date(text: string | null): number | null {
  // Without this check Date.parse would take "-5" and much else for a year.
  if (text === null || !/^\w{3,9},? /.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}
