import { createHash, randomBytes } from "node:crypto";
import type { BatchError } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import type { LessWork } from "../batch/less-work.ts";
import { type Endpoint, limits } from "../batch/limits.ts";
import { type LineError, lineErrors } from "../batch/line-errors.ts";
import { checkRequestLine, type RequestLine } from "../batch/request-line.ts";
import type { NewShard } from "../control/control-store.ts";
import type { FileReader, FileStore } from "../files/file-store.ts";
import { dedupedPlan, type LinePlan } from "./plan/deduped-plan.ts";
import { createDuplicateCheck, type LinePlace } from "./plan/duplicates.ts";
import { createErrorList } from "./plan/error-list.ts";
import { createIdSet } from "./plan/id-set.ts";
import { forEachLine } from "./plan/lines.ts";
import { createPlanWriter } from "./plan/plan-writer.ts";
import type { EngineSettings } from "./settings.ts";

export interface ValidateOptions {
  input: FileReader;
  settings: Pick<EngineSettings, "maxLineBytes" | "strict">;
  /** The SHA-256 that the input must have; default: any. */
  sha256?: string | undefined;
  /** The batch's endpoint; with `settings.strict` every line has to name it. */
  endpoint?: Endpoint | undefined;
  /** Where the plan goes; without a file store none is written. */
  files?: FileStore | undefined;
  planKey?: string | undefined;
  /** Where it is written who gets whose answer; only with `lessWork.dedupe`, and needed there. */
  followersKey?: string | undefined;
  /** Whether lines share answers, and run in another order than they stand. Default: neither. */
  lessWork?: LessWork | undefined;
  /** Told the shards of the plan, up to 1,000 at a time. They are void when validation does not end well. */
  onShards?: ((shards: NewShard[]) => Promise<void>) | undefined;
  /** Whether there is an upstream for a model. Default: for all. */
  knownModel?: ((model: string | null) => boolean) | undefined;
  /** Checks only so many requests from the start of the file. Default: all. */
  limit?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Eight secret bytes that the set of ids is keyed with. Default: random ones. */
  seed?: Uint8Array | undefined;
}

export type Validation =
  /** `model` is that of every line, or null when they name different ones. */
  | { ok: true; total: number; model: string | null }
  /**
   * At most 1,000 errors of lines in the order of the file, and then one that says how many more there are; `errorCount`
   * is that of all.
   */
  | { ok: false; errors: BatchError[]; errorCount: number };

/**
 * Checks an input file in one pass and writes the plan for its execution. Every bad line is found; memory does
 * not grow with lines, but for eight to twenty bytes each. When it resolves with `ok`, the plan is durable and
 * `onShards` has been told all of it; otherwise there is no plan.
 *
 * @throws NerifError `aborted`, `disk_full`, `storage_unavailable`, `input_changed` when it has another SHA-256
 */
export async function validateInput(options: ValidateOptions): Promise<Validation> {
  const { input, settings } = options;
  if (settings.strict && input.bytes > limits.strict.fileBytes) {
    return { ok: false, errors: [{ ...lineErrors.fileTooLarge, line: null }], errorCount: 1 };
  }
  const plan = await openPlan(options);
  try {
    const result = await checkLines(options, plan);
    if (result.ok) await plan?.commit();
    else await plan?.abort();
    return result;
  } catch (reason) {
    await plan?.abort();
    throw reason;
  }
}

async function checkLines(options: ValidateOptions, plan: LinePlan | null): Promise<Validation> {
  const { input, settings, limit = Number.POSITIVE_INFINITY } = options;
  // Positions in a line have 32 bits in the plan.
  const maxLineBytes = Math.min(settings.maxLineBytes, 2 ** 32 - 1);
  const errors = createErrorList();
  const duplicates = createDuplicateCheck({
    input,
    maxLineBytes,
    ids: createIdSet(options.seed ?? randomBytes(8)),
  });
  const models = createModelCheck(options);
  const rules = { onlyEndpoint: settings.strict ? options.endpoint : undefined };
  let total = 0;

  function nextPlace(offset: number, physicalLine: number): LinePlace {
    const place = { line: total, offset, physicalLine };
    total += 1;
    duplicates.mark(place);
    return place;
  }

  if (limit > 0) {
    await forEachLine(summed(input.stream(undefined, { valid: 1 }), options), {
      maxLineBytes,
      onLine(bytes, offset, physicalLine) {
        const place = nextPlace(offset, physicalLine);
        const check = checkRequestLine(bytes, rules);
        const id = check.ok ? check.request : check.id;
        if (id !== null) duplicates.add(place, bytes, id);
        const wrong = check.ok ? models.check(check.request) : check.errors;
        if (wrong !== null) errors.add(physicalLine, wrong);
        else if (check.ok && errors.count === 0) plan?.add({ ...place, request: check.request, bytes });
        return total < limit;
      },
      onTooLong(offset, length, physicalLine) {
        nextPlace(offset, physicalLine);
        errors.add(physicalLine, [lineErrors.tooLong(length, maxLineBytes)]);
        return total < limit;
      },
      async afterChunk() {
        if (options.signal?.aborted) {
          throw new NerifError("aborted", "Cannot go on with validation: it was aborted");
        }
        errors.settle(await duplicates.settle(), lineErrors.duplicateId);
        if (errors.count === 0) await plan?.flush();
      },
    });
  }

  if (total === 0) errors.addForFile(lineErrors.emptyFile);
  if (settings.strict && total > limits.strict.lines) errors.addForFile(lineErrors.tooManyLines(total));
  return errors.count === 0
    ? { ok: true, total, model: models.common }
    : { ok: false, errors: errors.all(), errorCount: errors.count };
}

/** Passes an input on, and holds it against the sum that was taken when it came: a disk may lose bits. */
async function* summed(chunks: AsyncIterable<Buffer>, { sha256 }: ValidateOptions): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  for await (const chunk of chunks) {
    if (sha256 !== undefined) hash.update(chunk);
    yield chunk;
  }
  if (sha256 === undefined || hash.digest("hex") === sha256) return;
  throw new NerifError("input_changed", "Cannot use the input: its bytes are not those that were stored");
}

interface ModelCheck {
  /** What is wrong with a line's model beside the others, or null. */
  check(request: RequestLine): LineError[] | null;
  /** The model of every line so far, or null. */
  readonly common: string | null;
}

function createModelCheck({ settings, knownModel = () => true }: ValidateOptions): ModelCheck {
  let first: string | null | undefined;
  let mixed = false;
  // Most files have one model, so this answers nearly every time.
  let known: string | null | undefined;

  return {
    check({ model }) {
      if (first === undefined) first = model;
      if (model !== first) {
        mixed = true;
        if (settings.strict) return [lineErrors.otherModel(model)];
      }
      if (model === known) return null;
      if (!knownModel(model)) return [lineErrors.unknownModel(model)];
      known = model;
      return null;
    },
    get common() {
      return mixed ? null : (first ?? null);
    },
  };
}

const shardsAtATime = 1_000;

async function openPlan(options: ValidateOptions): Promise<LinePlan | null> {
  const { input, files, planKey, followersKey: key, lessWork } = options;
  if (files === undefined || planKey === undefined) return null;
  const plan = await openShardedPlan(options, { files, planKey });
  if (!lessWork?.dedupe || key === undefined) return plan;
  try {
    return await dedupedPlan(plan, { input, files, key });
  } catch (reason) {
    await plan.abort();
    throw reason;
  }
}

/** The plan's writer, with its shards handed on in larger groups. */
async function openShardedPlan(
  { lessWork, onShards }: ValidateOptions,
  { files, planKey }: { files: FileStore; planKey: string },
): Promise<LinePlan> {
  const writer = await createPlanWriter(files, planKey, { groupByPrefix: lessWork?.groupByPrefix });
  let waiting: NewShard[] = [];

  async function handOn(least: number): Promise<void> {
    while (waiting.length >= least && waiting.length > 0) {
      const group = waiting.slice(0, shardsAtATime);
      waiting = waiting.slice(shardsAtATime);
      await onShards?.(group);
    }
  }

  return {
    add: writer.add,
    async flush() {
      waiting.push(...(await writer.flush()));
      await handOn(shardsAtATime);
    },
    async commit() {
      waiting.push(...(await writer.commit()));
      await handOn(1);
    },
    abort: writer.abort,
  };
}
