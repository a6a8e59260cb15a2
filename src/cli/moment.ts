import { NerifError } from "../batch/errors.ts";

/** A date, a time, a zone. */
const iso = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * Reads a moment: Unix seconds, or an ISO date with or without a time, which is meant in UTC unless it says otherwise.
 *
 * @returns Unix seconds
 * @throws NerifError `invalid_value`
 */
export function parseMoment(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  const [, date, time, zone] = iso.exec(text) ?? [];
  // A date alone is read as one in UTC.
  const ms =
    date === undefined ? -1 : Date.parse(time === undefined || zone !== undefined ? text : `${text}Z`);
  if (ms >= 0 && isDay(date ?? "")) return Math.floor(ms / 1_000);
  throw new NerifError(
    "invalid_value",
    `Cannot read ${JSON.stringify(text.slice(0, 80))} as a time: it must be Unix seconds or look like 2026-11-22 or 2026-11-22T08:30:00Z`,
  );
}

/** `Date` takes the 30th of February for the 2nd of March. */
function isDay(date: string): boolean {
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date);
}
