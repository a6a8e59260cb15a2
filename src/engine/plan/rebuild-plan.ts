import type { Batch } from "../../batch/batch.ts";
import { NerifError } from "../../batch/errors.ts";
import { lessWorkOf } from "../../batch/less-work.ts";
import { followersKey, openInput, planKey } from "../batch-files.ts";
import type { EngineDeps } from "../deps.ts";
import { validateInput } from "../validate.ts";
import { PlanDamage } from "./plan.ts";

/**
 * Takes a step of a batch; when it finds the plan damaged or gone, writes the plan again, for the next turn. The same
 * input has the same plan, so shards and journal go on to mean the same lines.
 *
 * @throws NerifError `data_damaged` when the input cannot be read any more as it was
 */
export async function rebuildingPlan(
  batch: Batch,
  deps: EngineDeps,
  step: () => Promise<void>,
): Promise<void> {
  try {
    await step();
  } catch (reason) {
    if (!(await isPlanLost(batch, reason, deps))) throw reason;
    deps.log.error(
      { batch: batch.id, err: reason },
      "The plan is damaged; it is written again from the input",
    );
    await rebuild(batch, deps);
  }
}

async function isPlanLost(batch: Batch, reason: unknown, { files }: EngineDeps): Promise<boolean> {
  if (reason instanceof PlanDamage) return true;
  if (!(reason instanceof NerifError) || reason.code !== "file_not_found") return false;
  if ((await files.size(planKey(batch.id))) === null) return true;
  return lessWorkOf(batch.metadata).dedupe && (await files.size(followersKey(batch.id))) === null;
}

async function rebuild(batch: Batch, deps: EngineDeps): Promise<void> {
  const { files, settings } = deps;
  const input = await openInput(batch, deps);
  try {
    const result = await validateInput({
      ...{ input, settings: { ...settings, strict: false }, files, planKey: planKey(batch.id) },
      ...{ followersKey: followersKey(batch.id), lessWork: lessWorkOf(batch.metadata) },
      sha256: input.sha256,
    });
    if (result.ok && result.total === batch.request_counts.total) return;
    throw new NerifError(
      "data_damaged",
      `Cannot write the plan of ${batch.id} again: its input is not what it was`,
    );
  } finally {
    await input.close();
  }
}
