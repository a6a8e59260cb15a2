import type { EngineDeps } from "../deps.ts";
import { pause } from "../pause.ts";
import type { Turns } from "../turns.ts";
import type { Watch } from "../watch.ts";
import { createAttempts } from "./attempts.ts";
import { createOutbox, type Outbox } from "./outbox.ts";
import { sweep } from "./sweep.ts";

const sweepMs = 10 * 60_000;
/** Leases that ran out so long ago are forgotten, in milliseconds. */
const lapsedMs = 60 * 60_000;
/** How often a process looks whether the one that keeps house is still there, in milliseconds. */
const lookMs = 4_000;

/** What is done for all batches together, by one process: events are delivered, and what nobody needs is removed. */
export interface Housekeeping {
  begin(): void;
  /** A batch has ended here: there may be an event. */
  look(): void;
  stop(graceMs: number): Promise<void>;
}

export function createHousekeeping(
  deps: EngineDeps,
  { turns, watch }: { turns: Turns; watch: Watch },
): Housekeeping {
  const { clock, control, lock, log, sender } = deps;
  const stopping = new AbortController();
  let outbox: Outbox | null = null;
  let sweeping = Promise.resolve();
  let cancelSweep = () => {};
  let endDuty = () => {};
  let grace = 0;
  let ended = Promise.resolve();

  async function keepHouse(): Promise<void> {
    const { signal } = stopping;
    while (!signal.aborted) {
      await turns.take("housekeeping", duty, { onLost: () => endDuty() }).catch((reason: unknown) => {
        log.error({ err: reason }, "Cannot read the control store; trying again");
      });
      await pause(lookMs, signal, quietly);
    }
  }

  /** Waiting for something to be removed keeps no process alive. */
  function quietly(ms: number, callback: () => void): () => void {
    return clock.after(ms, callback, { keepAlive: false });
  }

  /** Until this process stops, or has lost its turn. */
  async function duty(): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    endDuty = resolve;
    if (stopping.signal.aborted) return;
    outbox = sender === undefined ? null : createOutbox({ ...deps, sender });
    outbox?.look();
    // Events come from other processes too.
    const forget = lock.shared && outbox !== null ? watch.onChange(outbox.look) : () => {};
    const left = new AbortController();
    sweepAndAgain(left.signal);
    await over;
    forget();
    left.abort();
    cancelSweep();
    await outbox?.stop(grace);
    outbox = null;
    await sweeping;
  }

  function sweepAndAgain(signal: AbortSignal): void {
    sweeping = sweepAll(signal)
      .catch((reason: unknown) => {
        // What it was to remove is in nobody's way.
        log.error({ err: reason }, "Cannot sweep; trying again later");
      })
      .then(() => {
        if (!signal.aborted) cancelSweep = quietly(sweepMs, () => sweepAndAgain(signal));
      });
  }

  async function sweepAll(signal: AbortSignal): Promise<void> {
    const attempts = createAttempts(signal);
    // Also by a process that executes alone: when it began, what the one before it left may have been too young.
    await attempts.make(() => deps.files.removeAbandoned());
    if (lock.shared) await attempts.make(() => control.removeLapsedLeases(lapsedMs));
    await attempts.make(() => sweep(deps, signal));
    attempts.end();
  }

  return {
    begin() {
      ended = keepHouse();
    },
    look: () => outbox?.look(),
    async stop(graceMs) {
      grace = graceMs;
      stopping.abort();
      endDuty();
      await ended;
    },
  };
}
