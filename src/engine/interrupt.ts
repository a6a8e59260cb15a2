import type { Clock } from "./clock.ts";

/** Why work on a batch has to stop before it is done. */
export type InterruptReason = "cancel" | "expire" | "stop";

/** Lets the executor stop one step of a batch, first gently. */
export interface Interrupt {
  reason: InterruptReason | null;
  /** Aborts when nothing new may be begun. */
  readonly begun: AbortSignal;
  /** Aborts when calls in flight must be broken off. */
  readonly over: AbortSignal;
  /**
   * @param graceMs how long calls in flight may still take, in milliseconds. A second interrupt can only shorten it.
   */
  begin(reason: InterruptReason, graceMs: number): void;
}

export function createInterrupt(after: Clock["after"]): Interrupt {
  const begun = new AbortController();
  const over = new AbortController();
  const interrupt: Interrupt = {
    reason: null,
    begun: begun.signal,
    over: over.signal,
    begin(reason, graceMs) {
      if (interrupt.reason === reason) return;
      interrupt.reason ??= reason;
      begun.abort();
      if (over.signal.aborted) return;
      if (graceMs <= 0) {
        over.abort();
        return;
      }
      // Calls keep a process alive themselves; once they have ended, nobody waits for the rest of the grace.
      const cancel = after(graceMs, () => over.abort(), { keepAlive: false });
      over.signal.addEventListener("abort", cancel, { once: true });
    },
  };
  return interrupt;
}
