import type { StoredApiKey } from "../batch/api-key.ts";
import { type Batch, type BatchObject, batchObject } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { isVisible, type StoredFile } from "../batch/file.ts";
import { isId, newBatchId } from "../batch/ids.ts";
import { advance, isFinal, newBatch } from "../batch/lifecycle.ts";
import type { BatchProgress } from "../batch/progress.ts";
import type { ControlStore } from "../control/control-store.ts";
import type { InsertBatchOptions } from "../control/insert-options.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineSettings } from "../engine/settings.ts";
import type { FileStore } from "../files/file-store.ts";
import type { Journal } from "../journal/journal.ts";
import { answerOnce, type RecordOf } from "./answer-once.ts";
import { type BatchListQuery, checkBatchListParams } from "./batch-list-params.ts";
import { type BatchParams, type CheckedBatchParams, checkBatchParams } from "./batch-params.ts";
import type { CreateOptions } from "./create-options.ts";
import { nextChange } from "./next-change.ts";
import { type Page, readPage } from "./page.ts";
import { batchProgress } from "./progress.ts";
import type { ByteBudgets } from "./quotas.ts";
import { type FollowOptions, streamResults } from "./results.ts";
import { retryParams, withFailedLines } from "./retry.ts";

/** How often `wait` looks when nothing tells it of a change, and tries to execute when nobody does, in ms. */
const lookMs = 1_000;

/** How long a cancel that became the executor itself waits for the batch to settle, in milliseconds. */
const settleMs = 30_000;

export interface BatchService {
  /**
   * Answers with the batch in `validating`; what is wrong inside its file shows later.
   * @throws NerifError for every parameter that can be judged at once; an unknown input file is `invalid_request`;
   *   `quota_exceeded`
   */
  create(
    project: string,
    params: BatchParams | Readonly<Record<string, unknown>>,
    options?: CreateOptions,
  ): Promise<BatchObject>;
  /** @throws NerifError `batch_not_found` */
  retrieve(project: string, id: string): Promise<BatchObject>;
  /**
   * Newest first; `limit` is 20 by default and 100 at most.
   * @throws NerifError `cursor_not_found`, and for filters that cannot be
   */
  list(
    project: string,
    query?: BatchListQuery | Readonly<Record<string, unknown>>,
  ): Promise<Page<BatchObject>>;
  /** @throws NerifError `batch_not_found`, `batch_not_cancellable` when it is completed, failed or expired */
  cancel(project: string, id: string): Promise<BatchObject>;
  /** How it is doing right now. @throws NerifError `batch_not_found` */
  progress(project: string, id: string): Promise<BatchProgress>;
  /** Resolves when the batch is final, and executes it when nobody else does. @throws NerifError `aborted` */
  wait(project: string, id: string, options?: WaitOptions): Promise<BatchObject>;
  /**
   * Finished lines of output and error file, each once, in buffers of whole lines with their newlines.
   * @param options.follow goes on until the batch is final; default false
   * @param options.apiKey whoever follows with it is told nothing more when it is revoked
   * @throws NerifError `batch_not_found`, `invalid_api_key` for one that was revoked meanwhile
   */
  results(
    project: string,
    id: string,
    options?: FollowOptions & Pick<CreateOptions, "apiKey">,
  ): AsyncIterable<Buffer>;
  /**
   * A new batch with only the failed, expired and cancelled lines of a final one.
   * @throws NerifError `batch_not_final`, `input_file_gone`, `invalid_request` when there are none, `quota_exceeded`
   */
  retry(project: string, id: string, options?: CreateOptions): Promise<BatchObject>;
}

export interface WaitOptions {
  signal?: AbortSignal | undefined;
  /** Called with the batch when the wait begins and whenever it has changed. */
  onProgress?: ((batch: BatchObject) => void) | undefined;
}

interface BeginOptions {
  checked: CheckedBatchParams;
  options: CreateOptions;
  recordOf: RecordOf<BatchObject>;
  /** Where it is recorded together with the batch. */
  input?: StoredFile;
}

interface BatchServiceDeps {
  control: ControlStore;
  files: FileStore;
  /** Of the inputs of retries. */
  budgets: ByteBudgets;
  journal: Journal;
  engine: Engine;
  clock: Clock;
  settings: EngineSettings;
  /** Whether this process could send anything, so that it may become the executor. Default: it could. */
  canExecute?: () => boolean;
  /** Whether it becomes the executor for the sake of a cancelled batch. Default: it does. */
  canSettle?: () => boolean;
}

/** The use cases around batches. */
export function createBatchService(deps: BatchServiceDeps): BatchService {
  const { control, engine, clock, settings } = deps;
  const { canExecute = () => true, canSettle = () => true } = deps;

  async function load(project: string, id: string): Promise<Batch> {
    const batch = isId("batch", id) ? await control.getBatch(project, id) : null;
    if (batch !== null) return batch;
    throw new NerifError("batch_not_found", `No batch found with id '${id.slice(0, 80)}'.`);
  }

  async function create(
    project: string,
    params: BatchParams | Readonly<Record<string, unknown>>,
    options: CreateOptions = {},
  ): Promise<BatchObject> {
    const checked = checkBatchParams(params, settings.completionWindows);
    return answerOnce(
      { project, route: "POST /v1/batches", params: checked, options },
      {
        control,
        clock,
        async create(recordOf) {
          const begun = await begin(project, { checked, options, recordOf });
          await execute();
          return begun;
        },
      },
    );
  }

  async function begin(
    project: string,
    { checked, options, recordOf, input }: BeginOptions,
  ): Promise<BatchObject> {
    if (input === undefined) await checkInput(project, checked.input_file_id);
    const { windowSeconds, ...given } = checked;
    const now = unixSeconds(clock);
    const times = { created_at: now, expires_at: now + windowSeconds };
    const api_key = options.apiKey?.id ?? null;
    const batch = newBatch({ id: newBatchId(now), project, api_key, ...given, ...times });
    await insert(batch, { quotas: options.apiKey?.quotas, answer: recordOf(batchObject(batch)), input });
    return batchObject(batch);
  }

  /** The batch is recorded. Whoever waits for it meets a failure to execute; its creator would create it twice. */
  async function execute(): Promise<void> {
    engine.wake();
    if (canExecute()) await engine.start().catch(() => false);
  }

  async function retry(project: string, id: string, options: CreateOptions = {}): Promise<BatchObject> {
    const batch = await load(project, id);
    return answerOnce(
      { project, route: `POST /v1/batches/${id}/retry`, params: {}, options },
      { control, clock, create: (recordOf) => beginAgain(batch, { options, recordOf }) },
    );
  }

  async function beginAgain(batch: Batch, how: Omit<BeginOptions, "checked">): Promise<BatchObject> {
    const { apiKey } = how.options;
    const begun = await withFailedLines(deps, batch, {
      apiKey,
      // DURABLE: one transaction, so no crash leaves the lines without the batch that was to run them.
      record(input) {
        const checked = checkBatchParams(retryParams(batch, input), settings.completionWindows);
        return begin(batch.project, { checked, ...how, input });
      },
    });
    await execute();
    return begun;
  }

  async function insert(batch: Batch, options: InsertBatchOptions): Promise<void> {
    try {
      await control.insertBatch(batch, options);
    } catch (reason) {
      // Deleted since it was looked at: for a client it never was there.
      const isGone = reason instanceof NerifError && reason.code === "input_file_gone";
      throw isGone ? noSuchInput(batch.input_file_id) : reason;
    }
  }

  async function checkInput(project: string, id: string): Promise<void> {
    const file = isId("file", id) ? await control.getFile(project, id) : null;
    if (file === null || !isVisible(file, unixSeconds(clock))) {
      throw noSuchInput(id);
    }
    if (file.purpose !== "batch") {
      throw new NerifError(
        "invalid_request",
        `Cannot use file ${id} as the input of a batch: its purpose is '${file.purpose}', and must be 'batch'`,
        { param: "input_file_id" },
      );
    }
  }

  async function cancel(project: string, id: string): Promise<BatchObject> {
    for (;;) {
      const batch = await load(project, id);
      if (batch.status === "cancelling" || batch.status === "cancelled") return batchObject(batch);
      const patch = advance(batch, { type: "cancel" }, unixSeconds(clock));
      if (patch === null) {
        throw new NerifError("batch_not_cancellable", `Cannot cancel a batch with status '${batch.status}'.`);
      }
      // Null: the engine was first with a change of its own; what it made of the batch decides anew.
      const cancelling = await control.updateBatch(id, batch.version, patch);
      if (cancelling === null) continue;
      engine.wake();
      return batchObject(await settle(cancelling));
    }
  }

  /** Where no process executes, somebody has to write the files of the cancelled batch: this one does. */
  async function settle(cancelling: Batch): Promise<Batch> {
    if (engine.running || !canSettle() || !(await engine.start())) return cancelling;
    const until = clock.monotonic() + settleMs;
    let batch = await load(cancelling.project, cancelling.id);
    while (!isFinal(batch.status) && clock.monotonic() < until) {
      await nextChange(engine, lookMs);
      batch = await load(batch.project, batch.id);
    }
    return batch;
  }

  async function assertValid({ id }: StoredApiKey): Promise<void> {
    const key = await control.getApiKey(id);
    if (key?.revoked_at === null) return;
    throw new NerifError("invalid_api_key", "Cannot go on: the API key was revoked");
  }

  async function wait(
    project: string,
    id: string,
    { signal, onProgress }: WaitOptions = {},
  ): Promise<BatchObject> {
    let shown = "";
    for (;;) {
      const batch = batchObject(await load(project, id));
      const now = JSON.stringify(batch);
      if (now !== shown) onProgress?.(batch);
      shown = now;
      if (isFinal(batch.status)) return batch;
      if (!engine.running && canExecute()) await engine.start();
      await nextChange(engine, lookMs, { signal });
    }
  }

  return {
    create,
    cancel,
    retry,
    wait,
    retrieve: async (project, id) => batchObject(await load(project, id)),
    async progress(project, id) {
      const batch = await load(project, id);
      return batchProgress(batch, engine.progress(batch.id));
    },
    async list(project, query = {}) {
      const { limit, ...filters } = checkBatchListParams(query);
      const page = await readPage(limit, (count) =>
        control.listBatches({ project, limit: count, ...filters }),
      );
      return { ...page, data: page.data.map(batchObject) };
    },
    results(project, id, { apiKey, ...options } = {}) {
      const loadIfAllowed = async () => {
        if (apiKey) await assertValid(apiKey);
        return load(project, id);
      };
      return streamResults(deps, loadIfAllowed, options);
    },
  };
}

function noSuchInput(id: string): NerifError {
  return new NerifError("invalid_request", `Cannot find file ${id.slice(0, 80)}.`, {
    param: "input_file_id",
  });
}
