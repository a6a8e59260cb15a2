import type { FaultCall } from "./fault-witness.ts";
import type { KnownRequest } from "./requests.ts";

export interface AttemptRules {
  maxAttempts: number;
  timeoutMs: number;
}

/** How each line ended: `ok`, or the code of its error. */
export type Endings = ReadonlyMap<string, string>;

/** So many different lines that fail in a row without a success between may be an outage, in which nothing is spent. */
const outageLines = 4;

/**
 * Holds the calls that a witness got against the rules of attempts (I5): what spends one, what does not, what ends a
 * line, and what a call calls itself.
 */
export function checkAttempts(
  requests: readonly KnownRequest[],
  { calls, endings, rules }: { calls: readonly FaultCall[]; endings: Endings; rules: AttemptRules },
): string[] {
  const free = inOutages(calls, rules);
  const byDigest = Map.groupBy(calls, ({ body_sha256 }) => body_sha256);
  return requests.flatMap(({ customId, digest }) => {
    const of = byDigest.get(digest) ?? [];
    const wrong = [
      checkOrder(of),
      checkSpent(of, { free, rules }),
      checkEnding(of, { ending: endings.get(customId) ?? "none", rules }),
      checkKeys(of),
      checkWaits(of),
    ];
    const begin = calls[0]?.time ?? 0;
    const story = of
      .map(({ kind, doubtful, time }) => `${kind.mode}${doubtful ? "?" : ""} at ${time - begin} ms`)
      .join(", ");
    return wrong.filter((text) => text !== null).map((text) => `I5 ${customId}: ${text} (${story})`);
  });
}

/** Nothing is sent again that has its answer. */
function checkOrder(calls: readonly FaultCall[]): string | null {
  const early = calls.slice(0, -1).find(({ kind, doubtful }) => isEnd(kind.class) && !doubtful);
  return early === undefined ? null : `it was called again after ${early.kind.mode}`;
}

function isEnd(of: FaultCall["kind"]["class"]): boolean {
  return of === "final" || of === "succeeds";
}

function checkSpent(
  calls: readonly FaultCall[],
  { free, rules }: { free: ReadonlySet<FaultCall>; rules: AttemptRules },
): string | null {
  const certain = calls.filter((call) => !free.has(call));
  const timeouts = certain.filter(({ kind }) => kind.class === "times out").length;
  const spent = timeouts + certain.filter(({ kind }) => kind.class === "spends").length;
  if (spent > rules.maxAttempts) return `it had ${spent} attempts of ${rules.maxAttempts}`;
  return timeouts > 2 ? `it ran into ${timeouts} timeouts` : null;
}

function checkEnding(
  calls: readonly FaultCall[],
  { ending, rules }: { ending: string; rules: AttemptRules },
): string | null {
  const last = calls.at(-1);
  if (last === undefined) return "it was never called";
  const { kind, doubtful } = last;
  const expected = kind.class === "succeeds" ? "ok" : kind.code;
  // Much that comes slowly, and what comes while the machine stands still, may be a timeout; any may be cut off.
  const isLost = doubtful && (ending === "request_timeout" || ending === "connection_failed");
  if (ending !== expected && !isLost) return `it ended with ${ending} after ${kind.mode}`;
  if (kind.class === "waits") return `${kind.mode} ended it`;
  const timeouts = calls.filter(({ kind: of }) => of.class === "times out").length;
  const spent = timeouts + calls.filter(({ kind: of }) => of.class === "spends").length;
  const isOver =
    isEnd(kind.class) ||
    (isLost && kind.class !== "spends" && kind.class !== "times out") ||
    spent >= rules.maxAttempts ||
    timeouts >= 2;
  return isOver ? null : `it was given up after ${spent} attempts`;
}

/** The last part of the key counts the whole answers before it. */
function checkKeys(calls: readonly FaultCall[]): string | null {
  let [least, most] = [0, 0];
  for (const { idempotency_key: key, status, doubtful } of calls) {
    const nth = Number(key?.split(":").at(-1));
    if (!(nth >= least && nth <= most))
      return `a call has the key ${key}, behind ${least} to ${most} answers`;
    least = nth + (status === null || doubtful ? 0 : 1);
    most = nth + (status === null ? 0 : 1);
  }
  return null;
}

function checkWaits(calls: readonly FaultCall[]): string | null {
  for (const [index, { notBefore, doubtful }] of calls.entries()) {
    const next = calls[index + 1];
    // The client looks at a clock of whole milliseconds.
    if (notBefore !== null && !doubtful && next !== undefined && next.time < notBefore - 5)
      return `it came ${notBefore - next.time} ms before the time that Retry-After told`;
  }
  return null;
}

/** Calls that may have been part of an outage. */
function inOutages(calls: readonly FaultCall[], { timeoutMs }: AttemptRules): Set<FaultCall> {
  const free = new Set<FaultCall>();
  for (const of of Map.groupBy(calls, ({ path }) => path).values()) {
    const ended = of.map((call) => ({
      call,
      at: call.time + (call.kind.class === "times out" ? timeoutMs : 0),
    }));
    let row: FaultCall[] = [];
    for (const { call } of ended.sort((a, b) => a.at - b.at)) {
      if (isEnd(call.kind.class)) row = close(row);
      else if (call.kind.class !== "waits") row.push(call);
    }
    close(row);
  }
  return free;

  function close(row: readonly FaultCall[]): FaultCall[] {
    if (new Set(row.map(({ body_sha256 }) => body_sha256)).size >= outageLines) {
      for (const call of row) free.add(call);
    }
    return [];
  }
}
