import { z } from "zod";
import { batchStatuses } from "../batch/batch.ts";
import { limits } from "../batch/limits.ts";
import { metadata } from "./batch-params.ts";
import { afterParam, limitParam } from "./list-params.ts";
import { checkCursor } from "./page.ts";
import { parseParams } from "./parse-params.ts";

const moment = z
  .int()
  .min(0)
  .nullish()
  .transform((seconds) => seconds ?? undefined);

/** Which batches of a list are asked for. */
export const batchListParams = z.strictObject({
  limit: limitParam(limits.batchList),
  after: afterParam,
  status: z
    .enum(batchStatuses)
    .nullish()
    .transform((status) => status ?? undefined)
    .describe("Only batches in this status."),
  created_after: moment.describe("Only batches created later than this, in Unix seconds."),
  created_before: moment.describe("Only batches created earlier than this, in Unix seconds."),
  metadata: metadata.optional().describe("Only batches that have all of these pairs."),
});

/** What is absent, undefined or null does not count. */
export type BatchListQuery = Omit<z.input<typeof batchListParams>, "metadata" | "status"> & {
  /** Only batches in this status. */
  status?: string | null | undefined;
  /** Only batches that have all of these pairs. */
  metadata?: Readonly<Record<string, string>> | null | undefined;
};

/** @throws NerifError `cursor_not_found`; else see `parseParams` */
export function checkBatchListParams(query: BatchListQuery | Readonly<Record<string, unknown>>) {
  const { metadata, ...checked } = parseParams(batchListParams, query, "list batches");
  checkCursor("batch", checked.after);
  return { ...checked, metadata: metadata ?? undefined };
}
