import { access, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { NerifError } from "../batch/errors.ts";
import { newBatchId, newFileId } from "../batch/ids.ts";
import { lessWorkMetadata } from "../batch/less-work.ts";
import { newBatch } from "../batch/lifecycle.ts";
import type { Opened } from "../compose.ts";
import { withPriority } from "../service/batch-params.ts";
import { decide, type WantedRun } from "./run-decision.ts";
import { firstEndpoint } from "./run-input.ts";
import type { RunPlaces } from "./run-places.ts";
import { type RunRecord, writeRunRecord } from "./run-record.ts";
import type { Spool } from "./spool.ts";

export interface BeginOptions {
  store: string;
  record: RunRecord | null;
  wanted: WantedRun;
  /** The copy of the input, where it is not read in place. */
  spool: Spool | null;
  deadlineMs: number | undefined;
  /** From 1 to 100. */
  priority: number | undefined;
  maxLineBytes: number;
}

/**
 * Makes the store ready for execution: a new run gets its record and its batch, an interrupted one what a crash
 * kept it from getting.
 *
 * @returns null when the run is finished already
 * @throws NerifError `output_exists`, `input_changed`
 */
export async function beginRun(opened: Opened, options: BeginOptions): Promise<RunRecord | null> {
  const { store, wanted, spool } = options;
  const decision = decide(options.record, wanted);
  if (decision === "finished") return null;
  const isNew = decision === "new" || options.record === null;
  if (isNew && !wanted.force) await refuseForeign(wanted.places);
  // DURABLE: the copy, then the record that speaks of it, then the rows; a crash in between is made good at the
  // next start, also that of a copy which --force had put in the place of an older one.
  await spool?.moveTo(copyPath(store));
  let record = options.record;
  if (isNew || record === null) {
    record = newRecord(wanted);
    await writeRunRecord(store, record);
    if (spool === null) await rm(copyPath(store), { force: true });
  }
  await ensureBatch(opened, record, options);
  await adjust(opened, record, options);
  return record;
}

/** Where a copy of the input is kept that cannot be read in place. */
export function copyPath(store: string): string {
  return join(store, "input.jsonl");
}

/**
 * Refuses to replace files that this run did not write.
 *
 * @throws NerifError `output_exists`
 */
export async function refuseForeign(places: Pick<RunPlaces, "output" | "errors">): Promise<void> {
  for (const [path, flag] of [
    [places.output, "-o"],
    [places.errors, "--errors"],
  ] as const) {
    if (path === null || !(await exists(path))) continue;
    throw new NerifError(
      "output_exists",
      `Cannot write ${path}: it exists, and no run of this input wrote it; --force replaces it, ${flag} writes elsewhere`,
      { param: flag === "-o" ? "output" : "errors" },
    );
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function newRecord(wanted: WantedRun): RunRecord {
  const { places, input, limit, strict, dedupe, groupByPrefix, force } = wanted;
  const now = Date.now();
  return {
    version: 1,
    batch_id: newBatchId(Math.floor(now / 1000)),
    file_id: newFileId(),
    input: { path: places.input, ...input },
    output: places.output,
    errors: places.errors,
    limit,
    strict,
    dedupe,
    group_by_prefix: groupByPrefix,
    overwrite: force,
    created_at: now,
    elapsed_ms: 0,
    finished: null,
  };
}

async function ensureBatch(
  opened: Opened,
  record: RunRecord,
  { store, priority, maxLineBytes }: BeginOptions,
): Promise<void> {
  const { control } = opened;
  const batch = await control.getBatch(null, record.batch_id);
  if (batch !== null) {
    // Until the engine is about to write them itself, result files are somebody else's.
    if (batch.ending === null && !record.overwrite) await refuseForeign(record);
    return;
  }
  await forgetOthers(opened);
  const copied = record.input.path === null || record.limit !== null;
  const key = copied ? copyPath(store) : (record.input.path ?? copyPath(store));
  const created_at = Math.floor(record.created_at / 1000);
  if ((await control.getFile(null, record.file_id)) === null) {
    await control.insertFile({
      id: record.file_id,
      project: "default",
      bytes: record.input.bytes,
      created_at,
      expires_at: null,
      filename: basename(record.input.path ?? "stdin.jsonl"),
      purpose: "batch",
      sha256: record.input.sha256,
      key,
      api_key: null,
      lines: null,
    });
  }
  const endpoint = await firstEndpoint(key, maxLineBytes);
  await control.insertBatch(
    newBatch({
      id: record.batch_id,
      project: "default",
      api_key: null,
      endpoint,
      input_file_id: record.file_id,
      completion_window: "24h",
      created_at,
      // No window unless there is a deadline, which `adjust` sets at each start.
      expires_at: null,
      metadata: metadataOf(record, priority),
      output_expires_after: null,
    }),
  );
}

/** `--force` starts anew: nothing that an earlier run left may be executed again. */
async function forgetOthers({ control, journal, fileStore }: Opened): Promise<void> {
  for (;;) {
    const batches = await control.listBatches({ project: null, limit: 100 });
    for (const { id } of batches) {
      await journal.remove(id);
      await fileStore.delete(`${id}.plan`);
      await fileStore.delete(`${id}.followers`);
      await control.deleteBatch(id);
    }
    if (batches.length < 100) return;
  }
}

/** What may be another than at the last start. A deadline counts running time only, so the window is moved each time. */
async function adjust(
  { control }: Opened,
  record: RunRecord,
  { deadlineMs, priority }: BeginOptions,
): Promise<void> {
  const expires_at = deadlineMs === undefined ? null : windowEnd(deadlineMs - record.elapsed_ms);
  for (;;) {
    const batch = await control.getBatch(null, record.batch_id);
    if (batch === null || batch.ending !== null) return;
    const metadata = metadataOf(record, priority);
    const isSame = JSON.stringify(batch.metadata) === JSON.stringify(metadata);
    if (batch.expires_at === expires_at && isSame) return;
    if ((await control.updateBatch(batch.id, batch.version, { expires_at, metadata })) !== null) return;
  }
}

/** What a run is to leave out stays as it was begun with; its priority is that of the last start. */
function metadataOf(
  { dedupe, group_by_prefix }: RunRecord,
  priority: number | undefined,
): Record<string, string> | null {
  return (
    withPriority(lessWorkMetadata({ dedupe, groupByPrefix: group_by_prefix }) ?? undefined, priority) ?? null
  );
}

/** In whole seconds: a window that is over lies behind, any other lasts as long as it was meant to, or a bit longer. */
function windowEnd(leftMs: number): number {
  return leftMs > 0 ? Math.ceil((Date.now() + leftMs) / 1000) : Math.floor(Date.now() / 1000);
}
