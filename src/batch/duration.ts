import { NerifError } from "./errors.ts";

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

type Unit = keyof typeof unitMs;

/** Far beyond any use, and low enough that a sum with the clock stays an exact integer. */
export const maxDurationMs = 36_500 * unitMs.d;

/**
 * Milliseconds of a duration such as `250ms`, `1.5s`, `10m`, `2h` or `7d`, rounded to whole ones.
 *
 * @throws NerifError `invalid_value`
 */
export function parseDuration(text: string): number {
  const [, digits, unit] = /^(\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = digits === undefined ? Number.NaN : Math.round(Number(digits) * unitMs[unit as Unit]);
  if (ms <= maxDurationMs) return ms;
  throw new NerifError(
    "invalid_value",
    `Cannot read ${shown(text)} as a duration: it must be a number with ms, s, m, h or d, such as 30s or 1.5h, of at most 36500d`,
  );
}

/**
 * Seconds of a completion window: a positive whole number with s, m, h or d, such as `24h`. Whether the
 * window is admitted is for the caller to say.
 *
 * @throws NerifError `invalid_value`
 */
export function parseCompletionWindow(text: string): number {
  const seconds = /^[1-9]\d{0,9}[smhd]$/.test(text) ? parseDuration(text) / 1_000 : Number.NaN;
  if (seconds > 0) return seconds;
  throw new NerifError(
    "invalid_value",
    `Cannot read ${shown(text)} as a completion window: it must be a positive whole number with s, m, h or d, such as 24h`,
    { param: "completion_window" },
  );
}

/** A duration for people, in its two largest units: `350ms`, `2.5s`, `42s`, `3m 20s`, `1h 5m`, `7d`. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "unknown";
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1_000) return `${whole}ms`;
  const tenths = Math.round(whole / 100);
  if (tenths < 100) return `${tenths / 10}s`;
  const seconds = Math.round(whole / 1_000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return pair([Math.floor(seconds / 60), "m"], [seconds % 60, "s"]);
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return pair([Math.floor(minutes / 60), "h"], [minutes % 60, "m"]);
  const hours = Math.round(minutes / 60);
  return pair([Math.floor(hours / 24), "d"], [hours % 24, "h"]);
}

function pair([large, largeUnit]: [number, string], [small, smallUnit]: [number, string]): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit} ${small}${smallUnit}`;
}

function shown(text: unknown): string {
  return JSON.stringify(String(text).slice(0, 80));
}
