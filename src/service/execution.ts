import { NerifError } from "../batch/errors.ts";
import type { Instance } from "./instance.ts";

/**
 * Takes the executor lock without executing yet.
 *
 * @throws NerifError `executor_running`, naming the process that has it
 */
export async function claimExecution({ lock, dataDir }: Instance): Promise<void> {
  if (await lock.acquire()) return;
  const holder = await lock.holder();
  const who =
    holder === null ? "another process" : `process ${holder.pid} (${holder.command}, since ${holder.since})`;
  throw new NerifError("executor_running", `Cannot execute the batches of ${dataDir}: ${who} does already`);
}

/** Begins to execute. @throws NerifError `executor_running` */
export async function startExecution(instance: Instance): Promise<void> {
  if (await instance.engine.start()) return;
  await claimExecution(instance);
}

/** Sends nothing new, gives calls in flight `graceMs` milliseconds, and lets other processes execute. */
export async function stopExecution(
  { engine, lock }: Instance,
  { graceMs }: { graceMs: number },
): Promise<void> {
  await engine.stop(graceMs);
  await lock.release();
}
