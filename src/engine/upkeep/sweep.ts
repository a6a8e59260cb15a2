import { isAbsolute } from "node:path";
import { isId } from "../../batch/ids.ts";
import { isFinal } from "../../batch/lifecycle.ts";
import { limits } from "../../batch/limits.ts";
import { followersKey, planKey } from "../batch-files.ts";
import { unixSeconds } from "../clock.ts";
import type { EngineDeps } from "../deps.ts";
import { type Attempts, createAttempts } from "./attempts.ts";
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
 *
 * @param signal ends it soon
 * @throws whatever failed first, after all else was done
 */
export async function sweep(deps: SweepDeps, signal?: AbortSignal): Promise<void> {
  const { control, clock } = deps;
  const attempts = createAttempts(signal);
  await attempts.make(() => sweepBatches(deps, attempts));
  await attempts.make(() => sweepFiles(deps, attempts));
  await attempts.make(async () => {
    while (!attempts.over && (await control.noteMetadata(batchesAtATime)));
  });
  await attempts.make(() => control.removeOldAnswers(unixSeconds(clock)));
  // A receiver that is down is asked too seldom to come to an end with all of its events.
  await attempts.make(() => control.removeOldDeliveries(unixSeconds(clock) - deliveryMemory));
  await attempts.make(() => sweepUploads(deps, attempts));
  await attempts.make(() => control.deleteUploads(unixSeconds(clock) - uploadMemory));
  await attempts.make(() => sweepUnnamed(deps, attempts));
  attempts.end();
}

async function sweepBatches(deps: SweepDeps, attempts: Attempts): Promise<void> {
  for (const batchId of await deps.journal.batches()) {
    if (!isId("batch", batchId)) continue;
    await attempts.make(async () => {
      const batch = await deps.control.getBatch(null, batchId);
      if (batch === null || isFinal(batch.status)) await removeWorkingFiles(batchId, deps);
    });
  }
}

function sweepFiles({ control, files, clock }: SweepDeps, attempts: Attempts): Promise<void> {
  const now = unixSeconds(clock);
  return removeAll(attempts, {
    atATime: filesAtATime,
    page: (limit) => control.removableFiles(now, limit),
    async remove({ id, key }) {
      if (await control.isInputInUse(id)) return false;
      // An operator's own file, read or written in place, is not ours to remove.
      if (!isAbsolute(key)) await files.delete(key);
      await control.markBytesRemoved(id);
      return true;
    },
  });
}

function sweepUploads(deps: SweepDeps, attempts: Attempts): Promise<void> {
  const { control, clock } = deps;
  const now = unixSeconds(clock);
  return removeAll(attempts, {
    atATime: uploadsAtATime,
    page: async (limit) => (await control.endedUploads(now, limit)).map((id) => ({ id })),
    async remove({ id }) {
      await control.expireUpload(id, now);
      await removeParts(id, deps);
      return true;
    },
  });
}

interface Removing<T> {
  atATime: number;
  /** Some of what is to be removed. */
  page: (limit: number) => Promise<T[]>;
  /** Returns whether it is gone. */
  remove: (item: T) => Promise<boolean>;
}

/** Removes all that there is, past what cannot be removed. */
async function removeAll<T extends { id: string }>(
  attempts: Attempts,
  { atATime, page, remove }: Removing<T>,
): Promise<void> {
  const left = new Set<string>();
  for (;;) {
    // What is left comes again with every page; twice as many, so that few pages get past many.
    const limit = atATime + 2 * left.size;
    const items = await page(limit);
    for (const item of items) {
      if (attempts.over) return;
      if (left.has(item.id)) continue;
      left.add(item.id);
      await attempts.make(async () => {
        if (await remove(item)) left.delete(item.id);
      });
    }
    if (items.length < limit) return;
  }
}

async function sweepUnnamed({ control, files }: SweepDeps, attempts: Attempts): Promise<void> {
  await attempts.make(() => files.removeUnnamed("part_", (keys) => control.namedKeys(keys)));
  // Result files are written before anything names them but their batch, which will write them again.
  const batches = await control.unfinishedBatches();
  const results = batches.flatMap(({ result_files }) => Object.values(result_files ?? {}));
  const plans = batches.flatMap(({ id }) => [planKey(id), followersKey(id)]);
  await attempts.make(() => files.removeUnnamed("batch_", async () => plans));
  await attempts.make(() =>
    files.removeUnnamed("file-", async (keys) => [...(await control.namedKeys(keys)), ...results]),
  );
}
