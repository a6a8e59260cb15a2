import { randomUUID } from "node:crypto";
import type { Batch, Ending } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { newFileId } from "../batch/ids.ts";
import { lessWorkOf } from "../batch/less-work.ts";
import { isFinal } from "../batch/lifecycle.ts";
import { followersKey, openInput, openPlan, planKey } from "./batch-files.ts";
import { unixSeconds } from "./clock.ts";
import type { EngineDeps } from "./deps.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import { type Execution, execute } from "./execute.ts";
import { finalize } from "./finalize.ts";
import { createInterrupt, type Interrupt } from "./interrupt.ts";
import type { Others } from "./others.ts";
import { pause } from "./pause.ts";
import { openFollowers } from "./plan/followers.ts";
import { rebuildingPlan } from "./plan/rebuild-plan.ts";
import { noteDeadHolders } from "./results/note-segments.ts";
import { ShardDamage } from "./results/result-order.ts";
import { transition } from "./transition.ts";
import type { Turns } from "./turns.ts";
import { removeWorkingFiles } from "./upkeep/sweep.ts";
import { validateInput } from "./validate.ts";

/** One batch in the hands of this process. */
export interface BatchRun {
  readonly id: string;
  /** Stops the step that is under way. Replaced at each step. */
  interrupt: Interrupt;
  /** The `ending` of the batch as this process has read it. */
  ending: Ending | null;
  /** The step that runs lines, while it is under way. */
  execution: Execution | null;
  /** The process is about to end: no further step. */
  stopped: boolean;
}

export interface RunContext extends EngineDeps {
  dispatchersFor: (model: string | null) => readonly Dispatcher[];
  /** Names this process in leases. */
  holder: string;
  turns: Turns;
  others: Others;
}

/** How long to wait for other processes that have a turn or hold shards, in milliseconds. */
const otherMs = 1_000;
/** A try that took longer stood still, as a process does that was stopped. */
const longestWriteMs = 600_000;

/**
 * The whole life of a batch. Each turn reads what the control store says and takes the one step that follows;
 * every step ends in a compare-and-set, so that a cancel, an expiry or a crash in between only means that the next
 * turn, here or in another process, sees another state.
 */
export async function runBatch(run: BatchRun, context: RunContext): Promise<void> {
  while (!run.stopped) {
    // Made before the batch is read: a cancel that comes after the reading interrupts the step.
    run.interrupt = createInterrupt(context.clock.after);
    const batch = await context.control.getBatch(null, run.id);
    if (batch === null) return;
    run.ending = batch.ending;
    if (isFinal(batch.status)) return removeWorkingFiles(run.id, context);

    await rebuildingPlan(batch, context, () => step(run, batch, context));
  }
}

/** Any number of processes run the lines of a batch; one of them does all else, and the others wait for that. */
async function step(run: BatchRun, batch: Batch, context: RunContext): Promise<void> {
  const hasLines = batch.ending === null && batch.status === "in_progress" && !isOver(batch, context);
  if (hasLines && (await runLines(run, batch, context)) !== "done") return;
  const { begun } = run.interrupt;
  const isOurs = await context.turns.take(batch.id, () => stepAlone(run, batch, context), {
    onLost: () => run.interrupt.begin("stop", 0),
  });
  if (!isOurs) await pause(otherMs, begun, context.clock.after);
}

async function stepAlone(run: BatchRun, batch: Batch, context: RunContext): Promise<void> {
  if (batch.ending !== null) await writeResults(run, batch, context);
  else if (batch.status === "cancelling") await transition(batch, { type: "drained" }, context);
  else if (isOver(batch, context)) await transition(batch, { type: "window_over" }, context);
  else if (batch.status === "validating") await validate(run, batch, context);
  else await transition(batch, { type: "executed" }, context);
}

function isOver(batch: Batch, { clock }: RunContext): boolean {
  return batch.expires_at !== null && batch.expires_at <= unixSeconds(clock);
}

async function validate(run: BatchRun, { id, version: read }: Batch, context: RunContext): Promise<void> {
  const { control, files, settings } = context;
  // A validation has a version of its own, as a lease has its epoch: one that began earlier can change nothing more.
  const batch = await control.updateBatch(id, read, {});
  if (batch === null) return;
  const { version } = batch;
  let overtaken = !(await control.deleteShards(id, { version }));
  if (overtaken) return;
  const input = await openInput(batch, context).catch((reason: unknown) =>
    refuseInput(batch, reason, context),
  );
  if (input === null) return;
  try {
    const result = await validateInput({
      ...{ input, endpoint: batch.endpoint, settings, files, planKey: planKey(id) },
      ...{ followersKey: followersKey(id), lessWork: lessWorkOf(batch.metadata) },
      sha256: input.sha256,
      signal: run.interrupt.begun,
      knownModel: context.knowsModel,
      async onShards(shards) {
        overtaken = !(await control.insertShards(id, shards, { version }));
        if (overtaken)
          throw new NerifError("aborted", `Cannot go on with the validation of ${id}: it changed`);
      },
    });
    if (result.ok)
      await transition(batch, { type: "validated", total: result.total, model: result.model }, context);
    else await transition(batch, { type: "rejected", errors: result.errors }, context);
  } catch (reason) {
    if (run.interrupt.begun.aborted || overtaken) return;
    await refuseInput(batch, reason, context);
  } finally {
    await input.close();
  }
}

/** An input that is gone or is another one now will not come back: that is the end of the batch, and it says so. */
async function refuseInput(batch: Batch, reason: unknown, context: RunContext): Promise<null> {
  const lasting = ["input_file_gone", "input_changed", "file_not_found"];
  if (!(reason instanceof NerifError) || !lasting.includes(reason.code)) throw reason;
  const error = { code: reason.code, line: null, message: reason.message, param: "input_file_id" };
  await transition(batch, { type: "rejected", errors: [error] }, context);
  return null;
}

async function runLines(run: BatchRun, batch: Batch, context: RunContext): Promise<"done" | "interrupted"> {
  const { dispatchersFor, others } = context;
  const input = await openInput(batch, context);
  const plan = await openPlan(batch.id, context);
  const followers = await openFollowers(batch, context);
  try {
    run.execution = execute(
      {
        ...{ batch, input, plan, followers, dispatchersFor, others, interrupt: run.interrupt },
        newHolder: () => newHolder(context),
      },
      context,
    );
    return await run.execution.finished;
  } finally {
    run.execution = null;
    await followers?.close();
    await plan.close();
    await input.close();
  }
}

/** A new one for each step: what a step that failed still holds can be leased again when its lease has run out. */
function newHolder({ holder }: RunContext): string {
  return `${holder}/${randomUUID()}`;
}

async function noteAll(batch: Batch, context: RunContext): Promise<boolean> {
  const followers = await openFollowers(batch, context);
  try {
    return await noteDeadHolders(batch.id, { ...context, followers, holder: newHolder(context) });
  } finally {
    await followers?.close();
  }
}

async function writeResults(run: BatchRun, ended: Batch, context: RunContext): Promise<void> {
  const hasLines = ended.request_counts.total > 0;
  // From now on nothing is leased of it. What is leased still is closed first, or its answers would be missing.
  if (hasLines && !(await noteAll(ended, context))) {
    return pause(otherMs, run.interrupt.begun, context.clock.after);
  }
  const began = context.clock.monotonic();
  // Under names of its own: a writer that was overtaken must not replace a file that somebody has named meanwhile.
  const event = { type: "writing", result_files: { output: newFileId(), error: newFileId() } } as const;
  const batch = await transition(ended, event, context);
  if (batch === null || batch.ending === null || batch.result_files === null) return;
  const { ending, result_files } = batch;
  const read = hasLines
    ? {
        input: await openInput(batch, context),
        plan: await openPlan(batch.id, context),
        followers: await openFollowers(batch, context),
      }
    : null;
  try {
    // Neither a cancel nor the end of the window: what is decided is written down whatever comes.
    const isOver = () => run.stopped && run.interrupt.over.aborted;
    const isWritten = await finalize({ ...batch, ending, result_files }, read, { ...context, isOver });
    if (!isWritten) await letOtherWrite(run, context.clock.monotonic() - began, context);
  } catch (reason) {
    if (!(reason instanceof ShardDamage)) throw reason;
    context.log.error({ batch: batch.id, shard: reason.shard }, reason.message);
    await context.control.reopenShard(batch.id, reason.shard);
    await runLines(run, batch, context);
  } finally {
    await read?.input.close();
    await read?.plan.close();
    await read?.followers?.close();
  }
}

/**
 * Of two that write the same results each would overtake the other for ever: who was overtaken waits for as long as its
 * own try took, in milliseconds, while there is something to be written still.
 */
async function letOtherWrite(run: BatchRun, tookMs: number, { control, clock }: RunContext): Promise<void> {
  const { begun } = run.interrupt;
  const until = clock.monotonic() + Math.min(tookMs, longestWriteMs);
  while (!begun.aborted && clock.monotonic() < until) {
    const batch = await control.getBatch(null, run.id);
    if (batch === null || batch.ending === null || isFinal(batch.status)) return;
    await pause(Math.min(otherMs, until - clock.monotonic()), begun, clock.after);
  }
}
