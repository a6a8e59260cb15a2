import type { BatchObject } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { limits } from "../batch/limits.ts";
import { instanceWith, listedInstances } from "./instances.ts";
import { listPage } from "./list-page.ts";
import type { Nerif } from "./nerif.ts";
import type { BatchCreateParams, BatchListParams, ListPage } from "./types.ts";

/**
 * Batches of the default data directory and of each that a `BatchFile` was opened on; ids are looked for in all of
 * them. Upstreams come from the environment; `createNerif` takes them as options.
 */
export const Batch = {
  /** Begins a batch in the directory where its input file is. Errors as of `NerifBatches.create`. */
  async create(params: BatchCreateParams): Promise<BatchObject> {
    const nerif = await instanceWith((each) => each.files.retrieve(String(params?.input_file_id)));
    return nerif.batches.create(params);
  },

  /** @throws NerifError `batch_not_found` */
  async retrieve(batchId: string): Promise<BatchObject> {
    return (await instanceOfBatch(batchId)).batches.retrieve(batchId);
  },

  /** @throws NerifError `batch_not_found`, `batch_not_cancellable` */
  async cancel(batchId: string): Promise<BatchObject> {
    return (await instanceOfBatch(batchId)).batches.cancel(batchId);
  },

  /** Newest first; of several directories, those of the one that was opened last come first. */
  async list({
    after,
    limit = limits.batchList.default,
    ...filters
  }: BatchListParams = {}): Promise<ListPage<BatchObject>> {
    const data: BatchObject[] = [];
    let cursor = after;
    let unknownCursor: NerifError | undefined;
    for (const nerif of listedInstances()) {
      // Full: whether there is more, the first of this directory tells. What is no number the service refuses.
      const room = typeof limit === "number" ? limit - data.length || Math.min(limit, 1) : limit;
      const page = await pageOf(nerif, { ...filters, after: cursor, limit: room });
      if (page instanceof NerifError) {
        unknownCursor ??= page;
        continue;
      }
      cursor = undefined;
      if (data.length > 0 && data.length === limit) {
        if (page.data.length > 0) return listPage(data, true);
        continue;
      }
      data.push(...page.data);
      if (page.has_more) return listPage(data, true);
    }
    if (cursor !== undefined && unknownCursor !== undefined) throw unknownCursor;
    return listPage(data, false);
  },
};

function instanceOfBatch(batchId: string): Promise<Nerif> {
  return instanceWith((nerif) => nerif.batches.retrieve(batchId));
}

/** The error where the directory does not know the cursor. */
async function pageOf(nerif: Nerif, params: BatchListParams): Promise<ListPage<BatchObject> | NerifError> {
  try {
    return await nerif.batches.list(params);
  } catch (reason) {
    if (reason instanceof NerifError && reason.code === "cursor_not_found") return reason;
    throw reason;
  }
}
