import type { TimeWindow } from "./upstream.ts";

const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const dayMinutes = 24 * 60;

/**
 * Reads `22:00-06:00` (every day), `sat-sun` (all day), `mon-fri 20:00-07:00` or `mon,wed 00:00-24:00`; a window that ends before
 * it begins ends on the next day. The days are those on which it begins. Null: it is none.
 */
export function parseTimeWindow(text: string): TimeWindow | null {
  const parts = text.trim().toLowerCase().split(/\s+/);
  const [first = "", second] = parts;
  if (parts.length > 2) return null;
  if (second !== undefined) return windowOf(parseDays(first), parseHours(second));
  return first.includes(":")
    ? windowOf(
        dayNames.map((_, day) => day),
        parseHours(first),
      )
    : windowOf(parseDays(first), { from: 0, minutes: dayMinutes });
}

type Hours = Pick<TimeWindow, "from" | "minutes">;

function windowOf(days: number[] | null, hours: Hours | null): TimeWindow | null {
  return days === null || hours === null ? null : { days, ...hours };
}

/** `mon`, `mon-fri`, `fri-mon`, or several of these with commas. */
function parseDays(text: string): number[] | null {
  const days = new Set<number>();
  for (const range of text.split(",")) {
    const [from = -1, until = from, ...more] = range.split("-").map((name) => dayNames.indexOf(name));
    if (from === -1 || until === -1 || more.length > 0) return null;
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === until) break;
    }
  }
  return [...days].sort();
}

function parseHours(text: string): Hours | null {
  const [from, until, ...more] = text.split("-").map(minuteOf);
  if (from === undefined || until === undefined || more.length > 0) return null;
  if (Number.isNaN(from + until) || from === dayMinutes) return null;
  return { from, minutes: until > from ? until - from : until + dayMinutes - from };
}

/** Minutes after midnight, or NaN. */
function minuteOf(text: string): number {
  const [, hour, minute] = /^(\d{1,2}):([0-5]\d)$/.exec(text) ?? [];
  const minutes = Number(hour) * 60 + Number(minute);
  return minutes <= dayMinutes ? minutes : Number.NaN;
}
