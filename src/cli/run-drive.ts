import type { Batch } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { isFinal } from "../batch/lifecycle.ts";
import type { Opened } from "../compose.ts";
import { createInputCheck } from "./run-input-check.ts";
import { type RunRecord, writeRunRecord } from "./run-record.ts";
import type { RunReport } from "./run-report.ts";
import { runView } from "./run-view.ts";
import { createWatch, type WatchRules } from "./run-watch.ts";
import { type Grace, onStopSignal } from "./signals.ts";

export interface DriveOptions {
  store: string;
  record: RunRecord;
  report: RunReport;
  rules: WatchRules;
  grace: Grace;
  /** What the engine says of a place for results that somebody else has taken meanwhile; null as long as it is free. */
  taken: () => NerifError | null;
}

export interface Driven {
  batch: Batch;
  /** Why it stopped before its end; null when the batch is final. */
  stopped: "interrupted" | NerifError | null;
  /** Whether a request may have reached an upstream. */
  sent: boolean;
}

const lookMs = 250;
const saveMs = 5_000;

/** Executes the batch of a store until it is final or something stops it; what is done then is kept. */
export async function driveRun(opened: Opened, options: DriveOptions): Promise<Driven> {
  const { report, record, store } = options;
  const signal = createSignal();
  const forgetSignals = onStopSignal(options.grace, signal.give);
  const keepTime = createTimekeeper(store, record);
  try {
    if (!(await opened.engine.start())) throw lost();
    const stop = await runOn(opened, { ...options, signal, keepTime });
    if (stop !== null) {
      if (stop.graceMs > 0)
        report.note(`Stopping; calls in flight get ${stop.graceMs / 1_000} s. Once more stops at once`);
      await opened.engine.stop(stop.graceMs);
    }
    await keepTime(true);
    const batch = await load(opened, record.batch_id);
    const stopped = isFinal(batch.status) ? null : (stop?.why ?? "interrupted");
    return { batch, stopped, sent: hasSent(opened, stopped) };
  } finally {
    forgetSignals();
  }
}

/** A request of the user to stop. */
interface StopSignal {
  graceMs: number | null;
  give(graceMs: number): void;
  /** Waits for something that a request to stop cuts short. */
  unless(wait: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

function createSignal(): StopSignal {
  let waiting = new AbortController();
  const signal: StopSignal = {
    graceMs: null,
    give(graceMs) {
      signal.graceMs = graceMs;
      waiting.abort();
    },
    async unless(wait) {
      // One for each wait: listeners would pile up on one that lives as long as the run.
      waiting = new AbortController();
      if (signal.graceMs === null) await wait(waiting.signal);
    },
  };
  return signal;
}

interface Stop {
  why: "interrupted" | NerifError;
  graceMs: number;
}

/** Null when the batch is final. */
async function runOn(
  opened: Opened,
  options: DriveOptions & { signal: StopSignal; keepTime: () => Promise<void> },
): Promise<Stop | null> {
  const { record, report, rules, signal, keepTime, taken } = options;
  const watch = createWatch(rules);
  const inputChanged = createInputCheck(record);
  for (;;) {
    if (isFinal((await load(opened, record.batch_id)).status)) return null;
    if (signal.graceMs !== null) return { why: "interrupted", graceMs: signal.graceMs };
    const progress = opened.engine.progress(record.batch_id);
    if (progress !== null) {
      report.progress(runView(progress));
      const why = watch(progress, performance.now());
      if (why !== null) return { why, graceMs: 0 };
    }
    const refused = taken();
    if (refused !== null) return { why: keptOf(refused), graceMs: 0 };
    const changed = await inputChanged();
    if (changed !== null) return { why: changed, graceMs: 0 };
    await keepTime();
    await signal.unless((given) => opened.engine.changed(lookMs, given));
  }
}

function hasSent({ engine }: Opened, stopped: Driven["stopped"]): boolean {
  // What was under way to an upstream that cannot be reached was still looking for a connection.
  const isUnreachable = stopped instanceof NerifError && stopped.code === "upstream_unreachable";
  return engine.lanes().some(({ succeeded, inFlight, failures }) => {
    const { refused: _, aborted, ...answered } = failures;
    const brokenOff = isUnreachable ? 0 : inFlight + aborted;
    return succeeded + brokenOff + Object.values(answered).reduce((sum, count) => sum + count, 0) > 0;
  });
}

async function load({ control }: Opened, id: string): Promise<Batch> {
  const batch = await control.getBatch(null, id);
  if (batch !== null) return batch;
  throw new NerifError("batch_not_found", `Cannot go on: batch ${id} was removed`);
}

/** Writes down every few seconds how long the run has been executed, for `--deadline`. */
function createTimekeeper(store: string, record: RunRecord): (now?: boolean) => Promise<void> {
  const startedAt = performance.now();
  const before = record.elapsed_ms;
  let savedAt = startedAt;
  return async (now = false) => {
    if (!now && performance.now() - savedAt < saveMs) return;
    savedAt = performance.now();
    record.elapsed_ms = before + Math.round(savedAt - startedAt);
    // A full disk is the engine's to wait out; a time that is a bit too short is no reason to stop.
    await writeRunRecord(store, record).catch(() => {});
  };
}

function keptOf({ code, message, cause }: NerifError): NerifError {
  const hint = "move it away and run the same command again: nothing that was answered is sent again";
  return new NerifError(code, `${message}; ${hint}`, { param: "output", cause });
}

function lost(): NerifError {
  return new NerifError("executor_running", "Cannot run: another process has taken the store over");
}
