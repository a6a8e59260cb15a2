import type { BatchObject } from "../batch/batch.ts";
import type { BatchProgress } from "../batch/progress.ts";
import type { Opened } from "../compose.ts";
import { eachLine } from "../service/whole-lines.ts";
import { checkId } from "./check-id.ts";
import type { Keeper } from "./keep-executing.ts";
import { listPage } from "./list-page.ts";
import { project } from "./project.ts";
import type { BatchCreateParams, BatchListParams, BatchResult, ListPage } from "./types.ts";

/** Batches of one data directory. */
export interface NerifBatches {
  /**
   * Begins a batch. This process executes it, unless another one executes the data directory already.
   * @throws NerifError for each parameter that can be judged at once, and `upstream_not_configured` when nobody
   *   could execute it
   */
  create(params: BatchCreateParams): Promise<BatchObject>;
  /** @throws NerifError `batch_not_found` */
  retrieve(batchId: string): Promise<BatchObject>;
  /** @throws NerifError `batch_not_found`, `batch_not_cancellable` when it has ended otherwise */
  cancel(batchId: string): Promise<BatchObject>;
  /**
   * Newest first, 20 unless `limit` (100 at most) says otherwise.
   * @throws NerifError `cursor_not_found`, `unknown_parameter` and others for what cannot be looked for
   */
  list(params?: BatchListParams): Promise<ListPage<BatchObject>>;
  /**
   * How a batch is doing right now: its rate, the time that is left, and the routes that wait, where this process
   * executes it. @throws NerifError `batch_not_found`
   */
  progress(batchId: string): Promise<BatchProgress>;
  /** Resolves with the batch when it is final. @throws NerifError `batch_not_found`, `aborted` */
  wait(batchId: string, options?: BatchWaitOptions): Promise<BatchObject>;
  /**
   * The lines of output and error file, parsed, each once. While the batch runs they come as they are done, in no
   * particular order, and the last after it has ended. @throws NerifError `batch_not_found`, `aborted`
   */
  results(batchId: string, options?: BatchResultsOptions): AsyncIterable<BatchResult>;
  /**
   * Begins a new batch with only the failed, expired and cancelled lines of a final one.
   * @throws NerifError `batch_not_final`, `input_file_gone`, `invalid_request` when there are no such lines
   */
  retry(batchId: string): Promise<BatchObject>;
}

export interface BatchWaitOptions {
  signal?: AbortSignal | undefined;
  /** Called with the batch at once and whenever it has changed. */
  onProgress?: ((batch: BatchObject) => void) | undefined;
}

export interface BatchResultsOptions {
  /** False: only what is done by now. Default true: until the batch is final. */
  follow?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export function createBatches(
  open: () => Promise<Opened>,
  { execute, keeper }: { execute: boolean; keeper: Keeper },
): NerifBatches {
  async function begin(make: (opened: Opened) => Promise<BatchObject>): Promise<BatchObject> {
    const opened = await open();
    if (execute) await assertExecutable(opened);
    const batch = await make(opened);
    keeper.keep(opened, batch.id);
    return batch;
  }

  return {
    create: (params) =>
      begin(({ service }) =>
        service.batches.create(project, { ...params, completion_window: params?.completion_window ?? "24h" }),
      ),
    retry: (batchId) => begin(({ service }) => service.batches.retry(project, checkId(batchId, "batchId"))),
    retrieve: async (batchId) =>
      (await open()).service.batches.retrieve(project, checkId(batchId, "batchId")),
    progress: async (batchId) =>
      (await open()).service.batches.progress(project, checkId(batchId, "batchId")),
    async cancel(batchId) {
      const opened = await open();
      const letGo = keeper.hold(opened);
      try {
        const batch = await opened.service.batches.cancel(project, checkId(batchId, "batchId"));
        // A cancel that finds no executor becomes it.
        if (opened.engine.running) keeper.keep(opened, batch.id);
        return batch;
      } finally {
        letGo();
      }
    },
    async list(params = {}) {
      const page = await (await open()).service.batches.list(project, params);
      return listPage(page.data, page.has_more);
    },
    async wait(batchId, options) {
      const opened = await open();
      const letGo = keeper.hold(opened);
      try {
        return await opened.service.batches.wait(project, checkId(batchId, "batchId"), options);
      } finally {
        letGo();
      }
    },
    async *results(batchId, { follow = true, signal } = {}) {
      const opened = await open();
      const id = checkId(batchId, "batchId");
      // Who follows a batch that nobody executes would wait for ever.
      if (follow) keeper.keep(opened, id);
      const letGo = keeper.hold(opened);
      try {
        for await (const lines of opened.service.batches.results(project, id, { follow, signal })) {
          for (const line of eachLine(lines)) yield JSON.parse(line.toString()) as BatchResult;
        }
      } finally {
        letGo();
      }
    },
  };
}

/** A batch that nobody can execute would wait in silence. On a database it waits for whichever server or worker comes. */
async function assertExecutable({ engine, lock, upstreams }: Opened): Promise<void> {
  if (lock.shared === true) return;
  try {
    upstreams();
  } catch (reason) {
    if (engine.running || (await lock.holder()) === null) throw reason;
  }
}
