import { rm } from "node:fs/promises";
import type { Batch } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { exitCodeOfBatch, exitCodes } from "./exit-codes.ts";
import { type FirstFailure, firstFailure } from "./first-failure.ts";
import { exists } from "./run-begin.ts";
import { type RunRecord, writeRunRecord } from "./run-record.ts";
import type { RunReport } from "./run-report.ts";
import { writeResults } from "./run-results.ts";
import { resultPlaces } from "./run-store.ts";

export interface FinishOptions {
  store: string;
  record: RunRecord;
  report: RunReport;
}

/**
 * The batch is final and its results are durable: brings them to stdout where they were asked for there, notes the
 * run as finished and says so.
 *
 * @param tookMs how long this process took
 * @returns the exit code
 * @throws NerifError `file_not_found` when the results are not there
 */
export async function finishRun(batch: Batch, tookMs: number, options: FinishOptions): Promise<number> {
  const { store, record } = options;
  const finished = {
    at: Date.now(),
    status: batch.status,
    ...batch.request_counts,
    output: batch.output_file_id !== null,
    errors: batch.error_file_id !== null,
  };
  const done = { ...record, finished };
  await requireResults(store, done);
  // Where --force replaced an earlier run, none of its results may stand beside the new ones.
  if (record.overwrite) await removeStale(record, finished);
  await writeToStdout(store, done);
  await writeRunRecord(store, done);
  const exitCode = exitCodeOfBatch(batch);
  const { error } = resultPlaces(store, done);
  const failure = finished.errors && error !== null ? await firstFailure(error) : null;
  report(done, { ...options, exitCode, tookMs, usage: batch.usage, failure });
  return exitCode;
}

/**
 * An earlier process has finished the run: says so, and writes what belongs to stdout once more.
 *
 * @throws NerifError `file_not_found` when the results are gone
 */
export async function showFinished(options: FinishOptions): Promise<number> {
  const { store, record } = options;
  await requireResults(store, record);
  await writeToStdout(store, record);
  const ended = record.finished?.status === "expired" || record.finished?.status === "cancelled";
  const exitCode = ended ? exitCodes.ended : exitCodes.ok;
  report(record, { ...options, exitCode, tookMs: null, usage: null, failure: null });
  return exitCode;
}

async function removeStale(record: RunRecord, written: { output: boolean; errors: boolean }): Promise<void> {
  if (record.output !== null && !written.output) await rm(record.output, { force: true });
  if (record.errors !== null && !written.errors) await rm(record.errors, { force: true });
}

async function requireResults(store: string, record: RunRecord): Promise<void> {
  for (const path of writtenFiles(store, record)) {
    if (await exists(path)) continue;
    throw new NerifError(
      "file_not_found",
      `Cannot show the results of this run: it is finished, but ${path} is gone; --force runs everything again`,
      { param: "output" },
    );
  }
}

async function writeToStdout(store: string, record: RunRecord): Promise<void> {
  for (const path of writtenFiles(store, record)) {
    if (path !== record.output && path !== record.errors) await writeResults(path, process.stdout);
  }
}

/** The result files that a finished run has. */
function writtenFiles(store: string, record: RunRecord): string[] {
  const { output, error } = resultPlaces(store, record);
  const files = [record.finished?.output ? output : null, record.finished?.errors ? error : null];
  return files.filter((path) => path !== null);
}

interface ReportedEnd extends FinishOptions {
  exitCode: number;
  tookMs: number | null;
  usage: Batch["usage"];
  failure: FirstFailure | null;
}

function report(record: RunRecord, end: ReportedEnd): void {
  const { finished } = record;
  if (finished === null) return;
  const { total, completed, failed, status } = finished;
  end.report.ended({
    batch: record.batch_id,
    status,
    counts: { total, completed, failed },
    usage: end.usage,
    output: finished.output ? record.output : null,
    errors: finished.errors ? record.errors : null,
    tookMs: end.tookMs,
    store: end.store,
    firstFailure: end.failure,
    retryable: finished.errors,
    exitCode: end.exitCode,
  });
}
