import type { Clock } from "../clock.ts";

/** Lets what comes in quick succession go on together, so that it can share a commit. */
export interface Gather {
  /** Resolves at once when nothing has passed for a while, else together with what comes until then. */
  wait(): Promise<void>;
  /** Lets everybody who waits go on now. */
  open(): void;
}

/** @param options.restMs shortest time from one opening to the next, in milliseconds: the longest that anybody waits */
export function createGather({ clock, restMs }: { clock: Clock; restMs: number }): Gather {
  let openedAt = Number.NEGATIVE_INFINITY;
  let held: PromiseWithResolvers<void> | null = null;
  let cancel = () => {};

  function open(): void {
    cancel();
    openedAt = clock.monotonic();
    held?.resolve();
    held = null;
  }

  return {
    wait() {
      if (held !== null) return held.promise;
      held = Promise.withResolvers<void>();
      const { promise } = held;
      const rest = openedAt + restMs - clock.monotonic();
      if (rest <= 0) open();
      else cancel = clock.after(rest, open);
      return promise;
    },
    open,
  };
}
