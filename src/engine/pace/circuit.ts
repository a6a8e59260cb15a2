import type { FailureReason } from "../../upstreams/upstream.ts";

/** Different lines that must fail in a row, with no success between, before it counts as an outage. */
const outageLines = 8;
/** Different lines that must be refused in a row because of the account; one, as long as nothing has succeeded. */
const accountLines = 2;

/** Milliseconds between probes: they double up to `longest`. */
const probeDelays = { outage: { first: 500, longest: 2_700 }, account: { first: 1_000, longest: 60_000 } };
/** Probes in a row with lines that had failed before in the same outage, after which another one would tell no more. */
const staleProbes = 2;
/** A long outage is looked at less often: after such a share of the time that it lasts, at most so many milliseconds. */
const longOutage = { share: 1 / 22, longest: 15_000 };

/**
 * Tells the trouble of an upstream from the trouble of a line. Closed: calls go out. Open: lines wait without
 * spending attempts, and one call at a time probes whether it is over; any success closes it. Where all lines that are
 * left have failed, every third probe is a request of our own, or bad lines at the end of a file would look like an
 * outage, or with a 403 like trouble of the account, for ever. Times are monotonic milliseconds.
 */
export interface Circuit {
  readonly open: "outage" | "account" | null;
  /**
   * What to tell people: a single refusal by the account is only a suspicion until a probe has confirmed it, and so are
   * 403s until a probe with a different line has.
   */
  readonly reason: "outage" | "unreachable" | "account" | null;
  /** The message of the failure that keeps it open. */
  readonly message: string | null;
  /** The line whose failure that was. */
  readonly line: string | null;
  /** Different lines that have failed in a row, while that is not yet an outage. */
  readonly doubts: number;
  /** Milliseconds until a call may be sent: 0 now, Infinity when a probe is under way. */
  waitMs(now: number): number;
  /** Whether the next probe is to be no line, since those that are left cannot tell an outage from their own fault. */
  readonly wantsTest: boolean;
  /** To be called when a call is sent; while open it becomes the probe. */
  sent(): void;
  succeeded(): void;
  /** @param line identifies the line, so that the same line failing again is not taken for a further one */
  failed(line: string, failure: CircuitFailure, now: number): void;
  /** The probe ended without telling anything: it was aborted, throttled, or the line itself was refused. */
  inconclusive(now: number): void;
  /** The probe was no line, and did not succeed. */
  testFailed(now: number): void;
}

export interface CircuitFailure {
  reason: FailureReason;
  /** Of the answer; null where there was none. */
  status: number | null;
  message: string;
}

export function createCircuit(): Circuit {
  const failing = { outage: new Set<string>(), account: new Set<string>() };
  let open: "outage" | "account" | null = null;
  let message: string | null = null;
  let teller: string | null = null;
  let probing = false;
  let openedAt = 0;
  let probeAt = 0;
  let delay = 0;
  let hasSucceeded = false;
  let confirmed = false;
  let unreachable = false;
  /** A 403 may be meant for the account or for the line: unlike other refusals it does not say so. */
  let ambiguous = false;
  let stale = 0;

  function close(): void {
    // Emptying an empty set allocates, and this runs for each line.
    if (failing.outage.size > 0) failing.outage.clear();
    if (failing.account.size > 0) failing.account.clear();
    open = message = teller = null;
    probing = confirmed = false;
    stale = 0;
  }

  function probeLater(now: number): void {
    const { share, longest } = longOutage;
    const long = open === "outage" ? Math.min((now - openedAt) * share, longest) : 0;
    probing = false;
    probeAt = now + Math.max(delay, long);
  }

  return {
    get open() {
      return open;
    },
    get reason() {
      if (!confirmed) return null;
      return open === "outage" && unreachable ? "unreachable" : open;
    },
    get message() {
      return message;
    },
    get line() {
      return teller;
    },
    get doubts() {
      return failing.outage.size;
    },
    waitMs(now) {
      if (open === null) return 0;
      return probing ? Number.POSITIVE_INFINITY : Math.max(0, probeAt - now);
    },
    get wantsTest() {
      return stale >= staleProbes && (open === "outage" ? !unreachable : ambiguous);
    },
    sent() {
      if (open !== null) probing = true;
    },
    succeeded() {
      hasSucceeded = true;
      if (open !== null || failing.outage.size > 0 || failing.account.size > 0) close();
    },
    failed(line, failure, now) {
      const kind = failure.reason === "account" ? "account" : "outage";
      if (probing) stale = failing[kind].has(line) ? stale + 1 : 0;
      failing[kind].add(line);
      // Nobody accepts connections: a second line would tell no more.
      const refused = failure.reason === "refused";
      const enough = refused ? 1 : kind === "outage" ? outageLines : hasSucceeded ? accountLines : 1;
      if (open !== kind && failing[kind].size < enough) {
        // A single failure of another kind does not make another trouble of the one that there is, but where a probe gets
        // one it is no longer known which it is.
        if (probing && open !== null) {
          unreachable = false;
          ambiguous = true;
          delay = Math.min(delay * 2, probeDelays.outage.longest);
          probeLater(now);
        }
        return;
      }
      const { first, longest } = probeDelays[kind];
      ambiguous = failure.status === 403;
      const isAccount = ambiguous ? probing && stale === 0 : probing || failing.account.size >= accountLines;
      const isTold = kind === "outage" || isAccount;
      confirmed = isTold || (open === kind && confirmed);
      unreachable = refused;
      // Calls that were in flight when it opened say nothing new; only a probe's failure makes the delay grow.
      if (open !== kind) {
        delay = first;
        openedAt = now;
      } else if (probing) delay = Math.min(delay * 2, longest);
      else return;
      open = kind;
      message = failure.message;
      teller = line;
      probeLater(now);
    },
    inconclusive(now) {
      if (probing) probeLater(now);
    },
    testFailed(now) {
      stale = 0;
      if (open === null) return;
      confirmed = true;
      delay = Math.min(delay * 2, probeDelays[open].longest);
      probeLater(now);
    },
  };
}
