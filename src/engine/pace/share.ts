import type { TimeWindow } from "../../upstreams/upstream.ts";
import type { Clock } from "../clock.ts";

/** The share of an upstream that batch traffic may take at present, above 0 and up to 1. */
export type Share = () => number;

const minuteMs = 60_000;
const dayMinutes = 24 * 60;

/** Null when it may always take all. Asked for every answer: the calendar is looked at once a minute. */
export function createShare(
  { maxShare, offPeak }: { maxShare: number; offPeak: readonly TimeWindow[] },
  clock: Pick<Clock, "now">,
): Share | null {
  if (maxShare >= 1) return null;
  let seen = Number.NaN;
  let share = maxShare;
  return () => {
    const minute = Math.floor(clock.now() / minuteMs);
    if (minute !== seen) {
      seen = minute;
      share = isWithin(offPeak, localTime(minute * minuteMs)) ? 1 : maxShare;
    }
    return share;
  };
}

/** What a clock on the wall shows. */
interface LocalTime {
  /** 0 is Sunday. */
  day: number;
  /** Minutes after midnight. */
  minute: number;
}

export function isWithin(windows: readonly TimeWindow[], { day, minute }: LocalTime): boolean {
  return windows.some(({ days, from, minutes }) => {
    const today = days.includes(day) && minute >= from && minute < from + minutes;
    const yesterday = days.includes((day + 6) % 7) && minute + dayMinutes < from + minutes;
    return today || yesterday;
  });
}

function localTime(ms: number): LocalTime {
  const date = new Date(ms);
  return { day: date.getDay(), minute: date.getHours() * 60 + date.getMinutes() };
}
