import { NerifError } from "../batch/errors.ts";
import type { EngineView } from "./run-view.ts";

export interface WatchRules {
  /** `--wait`: nothing is ever a reason to stop. */
  wait: boolean;
  /** Whether somebody sees the warnings and could mend the account. */
  terminal: boolean;
}

/** An upstream that is only just starting up gets so many milliseconds. */
const patienceMs = 10_000;

/**
 * Decides from what the engine tells whether a run stops by itself: at an upstream that cannot be reached from the
 * start, and at an account problem when nobody is there to mend it or nothing has succeeded yet.
 *
 * @returns a function of the engine's view and the time in milliseconds that never jump; it answers with
 *   `upstream_unreachable`, `upstream_account` or null
 */
export function createWatch({
  wait,
  terminal,
}: WatchRules): (view: EngineView, now: number) => NerifError | null {
  let first: { at: number; done: number } | null = null;
  return (view, now) => {
    const done = view.counts.completed + view.counts.failed;
    first ??= { at: now, done };
    if (wait) return null;
    const succeeded = view.routes.some((route) => route.succeeded > 0);
    const account = waitingFor(view, "account");
    if (account !== null && (!terminal || !succeeded)) {
      return new NerifError(
        "upstream_account",
        `Cannot go on: the upstream refuses the account: ${account}. What is done is kept; once it is mended, the same command goes on`,
      );
    }
    if (succeeded || done > first.done || now - first.at < patienceMs) return null;
    // An outage may also be a server that answers, with errors only; then calls were sent, and waiting is right.
    const outage = waitingFor(view, "unreachable");
    if (outage === null) return null;
    return new NerifError(
      "upstream_unreachable",
      `Cannot run: ${outage}; nothing was sent. --wait waits for it`,
    );
  };
}

/** The message of the first route that waits for this reason, unless another route still gets on. */
function waitingFor(view: EngineView, code: string): string | null {
  const moving = view.routes.some((route) => route.reason === null && route.inFlight > 0);
  return moving ? null : (view.routes.find((route) => route.reason?.code === code)?.reason?.message ?? null);
}
