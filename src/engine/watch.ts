import type { ControlStore } from "../control/control-store.ts";
import type { Clock } from "./clock.ts";

const pollMs = 200;
/** Completion windows follow the wall clock, which may jump: look at them at least this often. */
const idleLookMs = 1_000;

/** Notices what this and other processes write to the control store. */
export interface Watch {
  /** Calls `listener` after each change and at least once a second, until the returned function is called. */
  onChange(listener: () => void): () => void;
  /** Resolves at the next change, at the latest after `timeoutMs`. */
  next(timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** This process has changed something. */
  changed(): void;
  close(): void;
}

export function createWatch({ control, clock }: { control: ControlStore; clock: Clock }): Watch {
  const listeners = new Set<() => void>();
  let counter: number | null = null;
  let quietSince = clock.monotonic();
  let cancelPoll: (() => void) | null = null;
  let closed = false;

  function tell(): void {
    quietSince = clock.monotonic();
    for (const listener of [...listeners]) listener();
  }

  async function poll(): Promise<void> {
    const now = await control.changeCounter().catch(() => null);
    if (closed) return;
    const changed = now !== counter;
    counter = now;
    if (changed || clock.monotonic() - quietSince >= idleLookMs) tell();
    pollLater();
  }

  function pollLater(): void {
    cancelPoll = null;
    if (listeners.size === 0 || closed) return;
    // What keeps the process alive are batches under way, not looking for new ones.
    cancelPoll = clock.after(pollMs, () => void poll(), { keepAlive: false });
  }

  function onChange(listener: () => void): () => void {
    listeners.add(listener);
    if (cancelPoll === null) pollLater();
    return () => void listeners.delete(listener);
  }

  return {
    onChange,
    changed: tell,
    async next(timeoutMs, signal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const forget = onChange(resolve);
      const cancel = clock.after(timeoutMs, resolve);
      signal?.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      cancel();
      forget();
    },
    close() {
      closed = true;
      cancelPoll?.();
      for (const listener of [...listeners]) listener();
    },
  };
}
