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
  /** Aborts when the process is about to end and the grace for that is over: nothing can be waited for any more. */
  readonly left: AbortSignal;
  /**
   * @param graceMs how long calls in flight may still take, in milliseconds. A second interrupt can only shorten it.
   */
  begin(reason: InterruptReason, graceMs: number): void;
}

export function createInterrupt(after: Clock["after"]): Interrupt {
  const begun = new AbortController();
  const over = new AbortController();
  const left = new AbortController();

  function abortAfter(controller: AbortController, graceMs: number): void {
    if (controller.signal.aborted) return;
    if (graceMs <= 0) {
      controller.abort();
      return;
    }
    // Calls keep a process alive themselves; once they have ended, nobody waits for the rest of the grace.
    const cancel = after(graceMs, () => controller.abort(), { keepAlive: false });
    controller.signal.addEventListener("abort", cancel, { once: true });
  }

  const interrupt: Interrupt = {
    reason: null,
    begun: begun.signal,
    over: over.signal,
    left: left.signal,
    begin(reason, graceMs) {
      // What has to end is found again at each look.
      if (reason !== "stop" && interrupt.reason === reason) return;
      interrupt.reason ??= reason;
      begun.abort();
      abortAfter(over, graceMs);
      // Whatever came before it.
      if (reason === "stop") abortAfter(left, graceMs);
    },
  };
  return interrupt;
}
