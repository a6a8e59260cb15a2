import { isAbsolute } from "node:path";
import { isId } from "../batch/ids.ts";
import { isFinal } from "../batch/lifecycle.ts";
import { planKey } from "./batch-files.ts";
import { unixSeconds } from "./clock.ts";
import type { EngineDeps } from "./deps.ts";

const filesAtATime = 500;

/** Removes the plan and the journal of a final batch; its result files say all that they said. */
export async function removeWorkingFiles(batchId: string, { files, journal }: EngineDeps): Promise<void> {
  await journal.remove(batchId);
  await files.delete(planKey(batchId));
}

/**
 * Removes what a crash or the passing of time has left: working files of final batches, and the bytes of files
 * that were deleted or have expired, unless a batch still reads them; answers under idempotency keys of yesterday.
 */
export async function sweep(deps: EngineDeps): Promise<void> {
  const { control, files, journal, clock } = deps;
  for (const batchId of await journal.batches()) {
    if (!isId("batch", batchId)) continue;
    const batch = await control.getBatch(null, batchId);
    if (batch === null || isFinal(batch.status)) await removeWorkingFiles(batchId, deps);
  }
  for (const file of await control.removableFiles(unixSeconds(clock), filesAtATime)) {
    if (await control.isInputInUse(file.id)) continue;
    // An operator's own file, read or written in place, is not ours to remove.
    if (!isAbsolute(file.key)) await files.delete(file.key);
    await control.markBytesRemoved(file.id);
  }
  await control.removeOldAnswers(unixSeconds(clock));
}
