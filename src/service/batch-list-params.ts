import { z } from "zod";
import { batchStatuses } from "../batch/batch.ts";
import { limits } from "../batch/limits.ts";
import { metadata } from "./batch-params.ts";
import { checkCursor } from "./page.ts";
import { parseParams } from "./parse-params.ts";

const { max, default: usual } = limits.batchList;

/** Unix seconds. */
const moment = z.int().min(0).nullish();

/** Which batches of a list are asked for. */
export const batchListParams = z.strictObject({
  limit: z.int().min(0).max(max).nullish(),
  after: z.string().nullish(),
  status: z.enum(batchStatuses).nullish(),
  created_after: moment,
  created_before: moment,
  metadata: metadata.optional(),
});

/** What is absent, undefined or null does not count. */
export type BatchListQuery = Omit<z.input<typeof batchListParams>, "metadata" | "status"> & {
  /** Only batches in this status. */
  status?: string | null | undefined;
  /** Only batches that have all of these pairs. */
  metadata?: Readonly<Record<string, string>> | null | undefined;
};

/** @throws NerifError `cursor_not_found`; else see `parseParams` */
export function checkBatchListParams(query: BatchListQuery) {
  const { limit, after, status, created_after, created_before, metadata } = parseParams(
    batchListParams,
    query,
    "list batches",
  );
  checkCursor("batch", after);
  return {
    limit: limit ?? usual,
    after: after ?? undefined,
    status: status ?? undefined,
    created_after: created_after ?? undefined,
    created_before: created_before ?? undefined,
    metadata: metadata ?? undefined,
  };
}
