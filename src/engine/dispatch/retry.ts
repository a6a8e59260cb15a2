import type { Failure } from "../../upstreams/upstream.ts";
import { longestPauseMs } from "../pace/controller.ts";

/** What a line has been through in this process. */
export interface LineHistory {
  /** Attempts spent of `maxAttempts`. */
  attempts: number;
  /** Definite HTTP answers seen, the last part of the idempotency key. */
  answers: number;
  timeouts: number;
  /** Failures of any kind, for the backoff. */
  failures: number;
  /** Refusals because of the account. */
  accountRefusals: number;
  /** Where the line last failed, and when (monotonic milliseconds); null when it never did. */
  failedBefore: { lane: object; at: number } | null;
}

export function newHistory(): LineHistory {
  return { attempts: 0, answers: 0, timeouts: 0, failures: 0, accountRefusals: 0, failedBefore: null };
}

export type Verdict = { type: "final" } | { type: "wait"; ms: number };

const firstBackoffMs = 500;
export const longestBackoffMs = 30_000;
/** A timeout is retried once: a request that takes too long twice will do so again. */
const maxTimeouts = 2;

/**
 * Whether a failed line is tried again, and when. Spends an attempt of `history` where the failure may be the
 * line's own fault. Aborted calls do not come here.
 *
 * @param circuitOpen the upstream is known to be in trouble: nothing is spent, the line waits
 * @param random a number in [0, 1)
 */
export function judge(
  history: LineHistory,
  failure: Failure,
  options: { circuitOpen: boolean; maxAttempts: number; random: () => number },
): Verdict {
  const again: Verdict = { type: "wait", ms: waitMs(history.failures, failure, options.random) };
  history.failures += 1;
  switch (failure.reason) {
    case "rejected":
    case "too_large":
      return { type: "final" };
    case "refused":
    case "throttled":
      return again;
    case "account":
      if (options.circuitOpen) return again;
      // Once may be the account's fault; when other lines get through meanwhile it is this line's.
      history.accountRefusals += 1;
      return history.accountRefusals > 1 ? { type: "final" } : again;
    case "timeout":
      if (options.circuitOpen) return again;
      history.attempts += 1;
      history.timeouts += 1;
      return history.timeouts >= maxTimeouts || history.attempts >= options.maxAttempts
        ? { type: "final" }
        : again;
    case "unavailable":
    case "reset":
    case "aborted":
      if (options.circuitOpen) return again;
      history.attempts += 1;
      return history.attempts >= options.maxAttempts ? { type: "final" } : again;
  }
}

/** Exponential backoff with full jitter, never before the time that the upstream asked for. */
function waitMs(failures: number, failure: Failure, random: () => number): number {
  const ceiling = Math.min(firstBackoffMs * 2 ** failures, longestBackoffMs);
  return Math.min(failure.retryAfterMs ?? 0, longestPauseMs) + random() * ceiling;
}
