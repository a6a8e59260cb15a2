import { NerifError } from "../../batch/errors.ts";
import type { Clock } from "../clock.ts";
import { pause } from "../pause.ts";

/** Rest before something is tried again, in milliseconds. It doubles, but while the disk is full: room is used at once. */
const firstRetryMs = 1_000;
const longestRetryMs = 15_000;

export interface Patience {
  clock: Clock;
  /** Aborts when nothing is waited for any more. */
  signal: AbortSignal;
  /** Whether storage that is away is not waited for any more; a full disk still is. */
  isOver: () => boolean;
  /** It failed, and is tried again in `ms` milliseconds; of a full disk it is told once. */
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
  let delay = firstRetryMs;
  let isTold = false;
  for (;;) {
    try {
      return await task();
    } catch (reason) {
      const isFull = isDiskFull(reason);
      if (!isStorageAway(reason) || signal.aborted || (!isFull && isOver())) throw reason;
      if (isFull) delay = firstRetryMs;
      if (!isFull || !isTold) onAway(reason, delay);
      isTold = isFull;
      await pause(delay, signal, clock.after);
      if (signal.aborted) throw reason;
      delay = Math.min(2 * delay, longestRetryMs);
    }
  }
}

/** Whether the same may succeed later, without anybody having lost anything. */
export function isStorageAway(reason: unknown): reason is NerifError {
  return reason instanceof NerifError && (reason.code === "storage_unavailable" || isDiskFull(reason));
}

function isDiskFull(reason: unknown): boolean {
  return reason instanceof NerifError && reason.code === "disk_full";
}
