import { isAbsolute } from "node:path";
import { isId } from "../../batch/ids.ts";
import { isFinal } from "../../batch/lifecycle.ts";
import { limits } from "../../batch/limits.ts";
import { followersKey, planKey } from "../batch-files.ts";
import { unixSeconds } from "../clock.ts";
import type { EngineDeps } from "../deps.ts";
import { removeParts } from "./upload-parts.ts";

const filesAtATime = 500;
const uploadsAtATime = 100;
const batchesAtATime = 1_000;

/** So long after its time an event still gets its last try, after a weekend without a server for example, in seconds. */
const deliveryMemory = limits.webhookDelivery.lifetime + 4 * 86_400;

/** An upload that has ended is remembered for so long, so that a late call for it still learns how, in seconds. */
const uploadMemory = 86_400;

type SweepDeps = Pick<EngineDeps, "control" | "files" | "journal" | "clock">;

/** Removes the plan and the journal of a final batch; its result files say all that they said. */
export async function removeWorkingFiles(
  batchId: string,
  { files, journal }: Pick<SweepDeps, "files" | "journal">,
): Promise<void> {
  // The journal last: as long as it is there, a start finds what is left to be removed.
  await files.delete(planKey(batchId));
  // Few batches have one, and removing it costs a sync also where there is none.
  if ((await files.size(followersKey(batchId))) !== null) await files.delete(followersKey(batchId));
  await journal.remove(batchId);
}

/**
 * Removes what a crash or the passing of time has left: working files of final batches, the bytes of files that
 * were deleted or have expired, unless a batch still reads them, parts of uploads that have ended, and bytes that
 * nothing names because a process died before it could write down what they are; answers under idempotency keys of
 * yesterday; events that nobody took in their time. Notes the metadata of batches that an older Nerif has inserted.
 */
export async function sweep(deps: SweepDeps): Promise<void> {
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
  while (await control.noteMetadata(batchesAtATime));
  await control.removeOldAnswers(unixSeconds(clock));
  // A receiver that is down is asked too seldom to come to an end with all of its events.
  await control.removeOldDeliveries(unixSeconds(clock) - deliveryMemory);
  await sweepUploads(deps);
  await sweepUnnamed(deps);
}

async function sweepUploads(deps: SweepDeps): Promise<void> {
  const { control, clock } = deps;
  const now = unixSeconds(clock);
  for (const id of await control.endedUploads(now, uploadsAtATime)) {
    await control.expireUpload(id, now);
    await removeParts(id, deps);
  }
  await control.deleteUploads(now - uploadMemory);
}

async function sweepUnnamed({ control, files }: SweepDeps): Promise<void> {
  await files.removeUnnamed("part_", (keys) => control.namedKeys(keys));
  // Result files are written before anything names them but their batch, which will write them again.
  const batches = await control.unfinishedBatches();
  const results = batches.flatMap(({ result_files }) => Object.values(result_files ?? {}));
  const plans = batches.flatMap(({ id }) => [planKey(id), followersKey(id)]);
  await files.removeUnnamed("batch_", async () => plans);
  await files.removeUnnamed("file-", async (keys) => [...(await control.namedKeys(keys)), ...results]);
}
