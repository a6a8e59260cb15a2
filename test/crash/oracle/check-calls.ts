import { testCallPrefix } from "../../../src/engine/dispatch/test-call.ts";
import type { LoggedRequest } from "../../../src/upstreams/simulator/request-log.ts";

export function byDigest(calls: readonly LoggedRequest[]): Map<string, LoggedRequest[]> {
  return Map.groupBy(calls, ({ body_sha256 }) => body_sha256);
}

/**
 * Calls beyond those that were needed: one for each line, and one more for each answer that was a failure (I5). Test
 * calls, which are of no line, do not count.
 *
 * @param known sums of all bodies that may be sent
 */
export function countRepeats(
  calls: readonly LoggedRequest[],
  known: ReadonlySet<string>,
): { repeats: number; violations: string[] } {
  const violations: string[] = [];
  let repeats = 0;
  const ofLines = calls.filter((call) => !call.idempotency_key?.startsWith(testCallPrefix));
  for (const [digest, of] of byDigest(ofLines)) {
    if (!known.has(digest)) violations.push(`I4 the witness got a body that nobody asked for: ${digest}`);
    const failures = of.filter(({ status }) => status !== null && status !== 200).length;
    repeats += Math.max(0, of.length - failures - 1);
  }
  return { repeats, violations };
}

/** When a process was started and when it died, Unix time in milliseconds. */
export interface Start {
  at: number;
  until: number;
}

/** For each start behind which calls were made, how long the first one took, in milliseconds. */
export function firstCalls(calls: readonly LoggedRequest[], starts: readonly Start[]): number[] {
  const times = calls.map(({ time }) => time).sort((a, b) => a - b);
  return starts.flatMap(({ at, until }) => {
    const first = times.find((time) => time >= at && time < until);
    return first === undefined ? [] : [first - at];
  });
}
