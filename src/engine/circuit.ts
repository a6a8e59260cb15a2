import type { FailureReason } from "../upstreams/upstream.ts";
import type { Clock } from "./clock.ts";

/** Different lines that must fail in a row, with no success between, before it counts as an outage. */
const outageLines = 8;
/** Different lines that must be refused in a row because of the account; one, as long as nothing has succeeded. */
const accountLines = 2;

const probeDelays = { outage: { first: 500, longest: 15_000 }, account: { first: 1_000, longest: 60_000 } };

/**
 * Tells the trouble of an upstream from the trouble of a line. Closed: calls go out. Open: lines wait without
 * spending attempts, and one call at a time probes whether it is over; any success closes it.
 */
export interface Circuit {
  readonly open: "outage" | "account" | null;
  /** What to tell people: a single refusal by the account is only a suspicion until a probe has confirmed it. */
  readonly reason: "outage" | "unreachable" | "account" | null;
  /** The message of the failure that keeps it open. */
  readonly message: string | null;
  /** The line whose failure that was. */
  readonly line: string | null;
  /** Milliseconds until a call may be sent: 0 now, null when a probe is under way. */
  waitMs(): number | null;
  /** To be called when a call is sent; while open it becomes the probe. */
  sent(): void;
  succeeded(): void;
  /** @param line identifies the line, so that the same line failing again is not taken for a further one */
  failed(line: string, reason: FailureReason, message: string): void;
  /** The probe ended without telling anything: it was aborted, throttled, or the line itself was refused. */
  inconclusive(): void;
}

export function createCircuit(clock: Clock): Circuit {
  const failing = { outage: new Set<string>(), account: new Set<string>() };
  let open: "outage" | "account" | null = null;
  let message: string | null = null;
  let teller: string | null = null;
  let probing = false;
  let probeAt = 0;
  let delay = 0;
  let hasSucceeded = false;
  let confirmed = false;
  let unreachable = false;

  function close(): void {
    // Emptying an empty set allocates, and this runs for each line.
    if (failing.outage.size > 0) failing.outage.clear();
    if (failing.account.size > 0) failing.account.clear();
    open = message = teller = null;
    probing = confirmed = false;
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
    waitMs() {
      if (open === null) return 0;
      return probing ? null : Math.max(0, probeAt - clock.monotonic());
    },
    sent() {
      if (open !== null) probing = true;
    },
    succeeded() {
      hasSucceeded = true;
      close();
    },
    failed(line, reason, text) {
      const kind = reason === "account" ? "account" : "outage";
      failing[kind].add(line);
      // Nobody accepts connections: a second line would tell no more.
      const enough =
        reason === "refused" ? 1 : kind === "outage" ? outageLines : hasSucceeded ? accountLines : 1;
      if (open === null && failing[kind].size < enough) return;
      const { first, longest } = probeDelays[kind];
      confirmed ||= kind === "outage" || failing.account.size >= accountLines || probing;
      unreachable = reason === "refused";
      // Calls that were in flight when it opened say nothing new; only a probe's failure makes the delay grow.
      if (open !== kind) delay = first;
      else if (probing) delay = Math.min(delay * 2, longest);
      else return;
      open = kind;
      message = text;
      teller = line;
      probing = false;
      probeAt = clock.monotonic() + delay;
    },
    inconclusive() {
      if (!probing) return;
      probing = false;
      probeAt = clock.monotonic() + delay;
    },
  };
}
