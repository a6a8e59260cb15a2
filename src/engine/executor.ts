import { randomUUID } from "node:crypto";
import { NerifError } from "../batch/errors.ts";
import type { UnfinishedBatch } from "../control/control-store.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { createBudgetShares } from "./budget-shares.ts";
import { unixSeconds } from "./clock.ts";
import type { EngineDeps } from "./deps.ts";
import { createDispatcher, type Dispatcher } from "./dispatch/dispatcher.ts";
import { laneStates } from "./dispatch/lane-states.ts";
import type { Engine } from "./engine.ts";
import { createInterrupt } from "./interrupt.ts";
import { createOthers } from "./others.ts";
import { pause } from "./pause.ts";
import { type BatchRun, type RunContext, runBatch } from "./run-batch.ts";
import { createTurns } from "./turns.ts";
import { createHousekeeping } from "./upkeep/housekeeping.ts";
import { createWatch } from "./watch.ts";

/** Batches that one process works on at once: each holds two open files. Those that only have to end do not count. */
const maxBatches = 1_000;
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;
/** What an object store has, after the grace of a stop, to take the last answers, in milliseconds. */
const lastAnswersMs = 5_000;

/** The engine of one data directory or cluster member. */
export function createEngine(deps: EngineDeps): Engine {
  const { control, clock, log, lock } = deps;
  const runs = new Map<string, { run: BatchRun; ended: Promise<void> }>();
  const dispatchers = new Map<Upstream, Dispatcher>();
  const watch = createWatch({ control, clock });
  const holder = randomUUID();
  const turns = createTurns({ ...deps, holder });
  const shares = createBudgetShares({ ...deps, holder });
  const housekeeping = createHousekeeping(deps, { turns, watch });
  const context: RunContext = { ...deps, dispatchersFor, holder, turns, others: createOthers(deps) };
  let state: "idle" | "starting" | "running" | "resting" | "stopped" = "idle";
  let starting: Promise<boolean> | null = null;
  let forgetWatch = () => {};

  function dispatchersFor(model: string | null): readonly Dispatcher[] {
    return deps.pickUpstreams(model).map(dispatcherAt);
  }

  function dispatcherAt(upstream: Upstream): Dispatcher {
    let dispatcher = dispatchers.get(upstream);
    if (dispatcher === undefined) {
      dispatcher = createDispatcher(upstream, { ...deps, part: shares.of(upstream.name) });
      deps.journal.onFlush(dispatcher.pump);
      dispatchers.set(upstream, dispatcher);
    }
    return dispatcher;
  }

  async function start(): Promise<boolean> {
    if (state === "running") return true;
    if (state === "stopped") return false;
    if (state === "resting") {
      state = "running";
      await takeUp();
      return true;
    }
    starting ??= becomeExecutor().finally(() => {
      starting = null;
    });
    return starting;
  }

  async function becomeExecutor(): Promise<boolean> {
    state = "starting";
    try {
      if (!(await lock.acquire())) {
        state = "idle";
        return false;
      }
      if (!lock.shared) {
        await control.revokeLeases();
        await deps.files.removeAbandoned();
      }
    } catch (reason) {
      state = "idle";
      await lock.release();
      throw reason;
    }
    state = "running";
    forgetWatch = watch.onChange(() => void takeUp());
    await takeUp();
    // Behind the batches: it looks at every stored file, and the first call after a restart need not wait for that.
    if (state === "running") housekeeping.begin();
    return true;
  }

  /** Looks at every batch that is not final: begins those that are new, interrupts those that were cancelled. */
  async function takeUp(): Promise<void> {
    if (state !== "running") return;
    try {
      const [ending, first] = await Promise.all([
        control.endingBatches(unixSeconds(clock)),
        // No more than so many are begun, however many there are.
        runs.size < maxBatches ? control.unfinishedBatches(maxBatches) : [],
      ]);
      for (const batch of [...ending, ...first]) {
        if (state !== "running") return;
        const run = runs.get(batch.id)?.run;
        if (run !== undefined) interrupt(run, batch);
        else if (runs.size < maxBatches || mustEnd(batch)) begin(batch.id);
      }
    } catch (reason) {
      log.error({ err: reason }, "Cannot read the control store; trying again");
    }
  }

  function interrupt(run: BatchRun, batch: UnfinishedBatch): void {
    // What was decided is written down whatever comes, also where damaged lines of it have to run again.
    if (run.ending !== null) return;
    if (batch.status === "cancelling") run.interrupt.begin("cancel", deps.settings.cancelGraceMs);
    // Another process may be further: what this one runs was read before the batch began to end.
    else if (isOver(batch.expires_at) || batch.ending !== null) run.interrupt.begin("expire", 0);
  }

  function mustEnd(batch: UnfinishedBatch): boolean {
    return batch.status === "cancelling" || batch.ending !== null || isOver(batch.expires_at);
  }

  function isOver(expiresAt: number | null): boolean {
    return expiresAt !== null && expiresAt * 1000 <= clock.now();
  }

  function begin(id: string): void {
    const interrupt = createInterrupt(clock.after);
    const run: BatchRun = { id, interrupt, ending: null, execution: null, stopped: false };
    const ended = keepRunning(run).finally(() => {
      runs.delete(id);
      watch.changed();
      housekeeping.look();
    });
    runs.set(id, { run, ended });
  }

  /** Storage may fail for a while; the batch goes on by itself when it is back. */
  async function keepRunning(run: BatchRun): Promise<void> {
    let delay = firstRetryMs;
    while (!run.stopped) {
      const since = clock.monotonic();
      try {
        await runBatch(run, context);
        return;
      } catch (reason) {
        // It went well for a while: this is trouble of its own, and no part of the one before.
        const isNew = clock.monotonic() - since > longestRetryMs;
        delay = isNew ? firstRetryMs : delay;
        const error = NerifError.fromUnknown(reason, `run ${run.id}`);
        // Opened again at once it would pass for what it was when the batch began; who watches it stops meanwhile.
        if (error.code === "input_changed") delay = longestRetryMs;
        log.error({ batch: run.id, err: error }, `${error.message}; trying again in ${delay} ms`);
        deps.onProblem?.(run.id, error);
        if (!run.stopped) await pause(delay, run.interrupt.begun, clock.after);
        delay = Math.min(delay * 2, longestRetryMs);
      }
    }
  }

  async function endRuns(graceMs: number): Promise<void> {
    for (const { run } of runs.values()) {
      run.stopped = true;
      run.interrupt.begin("stop", graceMs);
    }
    await Promise.all([...runs.values()].map(({ ended }) => ended));
  }

  return {
    start,
    get running() {
      return state === "running";
    },
    wake() {
      watch.changed();
    },
    progress: (batchId) => runs.get(batchId)?.run.execution?.progress() ?? null,
    lanes: () => laneStates([...dispatchers.values()], clock.monotonic()),
    changed: watch.next,
    async rest(graceMs) {
      if (state !== "running") return;
      state = "resting";
      await endRuns(graceMs);
    },
    async stop(graceMs) {
      await starting;
      const isExecutor = state === "running" || state === "resting";
      state = "stopped";
      forgetWatch();
      const cancel = clock.after(graceMs + lastAnswersMs, () => deps.giveUpFiles?.());
      await endRuns(graceMs)
        .then(() => Promise.all([housekeeping.stop(graceMs), shares.stop()]))
        .finally(cancel);
      watch.close();
      if (isExecutor) await lock.release();
    },
  };
}
