import type { Batch, Ending } from "../batch/batch.ts";
import type { StoredFile } from "../batch/file.ts";
import { noTokens, usageOf } from "../batch/usage.ts";
import type { FileReader, FileStore, FileWriter } from "../files/file-store.ts";
import { recordKinds } from "../journal/journal.ts";
import { type Clock, unixSeconds } from "./clock.ts";
import type { EngineDeps, ResultPlace } from "./deps.ts";
import type { Followers } from "./plan/followers.ts";
import { type OrderedResult, resultsInOrder } from "./results/result-order.ts";
import { transition } from "./transition.ts";

/** Result bytes that are gathered before they are written. */
const stagingBytes = 256 * 1024;
/** OpenAI removes result files after 30 days unless told otherwise. */
const defaultLifeSeconds = 30 * 86_400;
const newline = Buffer.from("\n");

/**
 * Writes both result files of a batch whose `ending` is set, then names them and the final status in one
 * compare-and-set. Everything is derived from plan and journal, so that a crash at any point is mended by doing
 * it again: the same bytes, under new ids.
 *
 * @param read null when the batch never got a plan: it has no lines to report
 * @param deps.isOver whether to give up between two chunks, since the process ends; default never
 * @returns false when the batch was changed meanwhile, by another process that writes them too or by a cancel
 * @throws ShardDamage when a line that should have a result has none
 */
export async function finalize(
  batch: Batch & { ending: Ending; result_files: { output: string; error: string } },
  read: { input: FileReader; plan: FileReader; followers: Followers | null } | null,
  { isOver = () => false, ...deps }: EngineDeps & { isOver?: () => boolean },
): Promise<boolean> {
  const { control, journal, log, files } = deps;
  const place = deps.placeOf === undefined ? null : await deps.placeOf(batch.id);
  const target = { files, replace: place?.replace ?? true };
  const merged = place?.error === null;
  const output = await createResultFile(place?.output ?? batch.result_files.output, target);
  const error = merged
    ? output
    : await createResultFile(place?.error ?? batch.result_files.error, target).catch(
        async (reason: unknown) => {
          await output.abandon();
          throw reason;
        },
      );
  let completed = 0;
  let failed = 0;
  try {
    if (read !== null) {
      for await (const results of resultsInOrder(batch, batch.ending, { control, journal, log, ...read })) {
        if (isOver()) return true;
        for (const result of results) {
          if (result.kind === recordKinds.output) completed += 1;
          if (result.kind === recordKinds.error) failed += 1;
          const file = result.kind === recordKinds.output ? output : error;
          if (!file.add(result)) await file.write(result);
        }
      }
    }
    // DURABLE: the files are there before anything names them.
    const written: StoredFile[] = [];
    const outputFile = await output.finish();
    const errorFile = merged ? null : await error.finish();
    const kept = { clock: deps.clock, place };
    if (outputFile)
      written.push(record(batch, { ...outputFile, id: batch.result_files.output, kind: "output" }, kept));
    if (errorFile)
      written.push(record(batch, { ...errorFile, id: batch.result_files.error, kind: "error" }, kept));
    const event = {
      type: "written",
      output_file_id: outputFile && batch.result_files.output,
      error_file_id: errorFile && batch.result_files.error,
      // What was read with the batch is the sum over its shards, which are all closed by now.
      ...{ completed, failed, usage: batch.usage ?? usageOf(noTokens()) },
    } as const;
    return (await transition(batch, event, { control, clock: deps.clock, written })) !== null;
  } finally {
    await output.abandon();
    await error.abandon();
  }
}

interface ResultFile {
  /** Copies a line to the ones that wait to be written. False when there is no room: `write` it. */
  add(result: OrderedResult): boolean;
  /** Writes what waits, and then this line. */
  write(result: OrderedResult): Promise<void>;
  /** Makes the file durable; null, and no file, when it has no lines. */
  finish(): Promise<{ key: string; bytes: number; sha256: string } | null>;
  /** Removes what was written unless it is finished. */
  abandon(): Promise<void>;
}

async function createResultFile(
  key: string,
  { files, replace }: { files: FileStore; replace: boolean },
): Promise<ResultFile> {
  const writer: FileWriter = await files.create(key, { replace });
  const staging = Buffer.allocUnsafeSlow(stagingBytes);
  let staged = 0;
  let isEmpty = true;

  async function flush(): Promise<void> {
    if (staged > 0) await writer.write([staging.subarray(0, staged)]);
    staged = 0;
  }

  function add({ payload }: OrderedResult): boolean {
    let bytes = newline.length;
    for (const piece of payload) bytes += piece.length;
    if (staged + bytes > stagingBytes) return false;
    for (const piece of payload) {
      staging.set(piece, staged);
      staged += piece.length;
    }
    staging.set(newline, staged);
    staged += newline.length;
    isEmpty = false;
    return true;
  }

  return {
    add,
    async write(result) {
      await flush();
      if (add(result)) return;
      await writer.write([...result.payload, newline]);
      isEmpty = false;
    },
    async finish() {
      if (isEmpty) return null;
      await flush();
      return { key, ...(await writer.commit()) };
    },
    abandon: () => writer.abort(),
  };
}

function record(
  batch: Batch,
  file: { id: string; kind: "output" | "error"; key: string; bytes: number; sha256: string },
  { clock, place }: { clock: Clock; place: ResultPlace | null },
): StoredFile {
  const now = unixSeconds(clock);
  const life = batch.output_expires_after?.seconds ?? defaultLifeSeconds;
  return {
    ...{ id: file.id, project: batch.project, bytes: file.bytes, sha256: file.sha256, key: file.key },
    api_key: batch.api_key,
    lines: null,
    created_at: now,
    // What the operator placed is the operator's own to remove.
    expires_at: place === null ? now + life : null,
    filename: `${batch.id}_${file.kind}.jsonl`,
    purpose: "batch_output",
  };
}
