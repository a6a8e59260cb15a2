import { NerifError } from "../../batch/errors.ts";
import type { Clock } from "../clock.ts";
import { pause } from "../pause.ts";

/** Rest before something is tried again, in milliseconds; it doubles. */
const firstRetryMs = 1_000;
const longestRetryMs = 15_000;
/** Room is used soon, and yet a thousand batches that look for it shall not keep the process busy. */
const longestFullMs = 5_000;

export interface Patience {
  clock: Clock;
  /** Aborts when nothing is waited for any more. */
  signal: AbortSignal;
  /** Whether waiting helps no more, since others may do the same by now. */
  isOver: () => boolean;
  /** It failed, and is tried again in `ms` milliseconds. */
  onAway: (error: NerifError, ms: number) => void;
}

/**
 * Carries `task` out, again and again while storage is away or the disk is full: calls in flight, and answers that wait
 * for room, are not given up for that.
 * @throws what `task` threw last
 */
export async function patiently<T>(
  task: () => Promise<T>,
  { clock, signal, isOver, onAway }: Patience,
): Promise<T> {
  for (let delay = firstRetryMs; ; delay *= 2) {
    try {
      return await task();
    } catch (reason) {
      if (!isStorageAway(reason) || signal.aborted || isOver()) throw reason;
      delay = Math.min(delay, reason.code === "disk_full" ? longestFullMs : longestRetryMs);
      onAway(reason, delay);
      await pause(delay, signal, clock.after);
      if (signal.aborted) throw reason;
    }
  }
}

/** Whether the same may succeed later, without anybody having lost anything. */
export function isStorageAway(reason: unknown): reason is NerifError {
  return reason instanceof NerifError && ["storage_unavailable", "disk_full"].includes(reason.code);
}
