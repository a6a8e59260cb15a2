import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { BatchObject } from "../../../src/batch/batch.ts";
import type { FileObject } from "../../../src/batch/file.ts";
import { isFinal } from "../../../src/batch/lifecycle.ts";
import type { LoggedRequest } from "../../../src/upstreams/simulator/request-log.ts";
import type { Ask } from "./calls.ts";
import { byDigest } from "./check-calls.ts";
import { checkResults } from "./check-results.ts";
import type { History } from "./history.ts";

export interface ServerCheck {
  violations: string[];
  lines: number;
  batches: BatchObject[];
  /** Of every final batch and every file, what must never change again (I7). */
  fingerprint: Map<string, string>;
  /** Ids of all files. */
  files: string[];
  /** How long it took until every batch was final, in milliseconds. */
  settledMs: number;
}

export interface ServerCheckOptions {
  history: History;
  /** What the witness was asked. */
  calls: () => LoggedRequest[];
  /** By which the witness answers. Default 0. */
  seed?: number;
  /** Batches that an earlier check found in order, as they were then; their files may be gone. Default none. */
  done?: ReadonlyMap<string, string>;
  /** With the faults gone every batch is final after so long (I9), in milliseconds. Default 60,000. */
  patienceMs?: number;
}

/** Waits until every batch of a server is final and holds all that it shows against what clients were told. */
export async function checkServer(
  ask: Ask,
  { history, calls, seed = 0, done = new Map(), patienceMs = 60_000 }: ServerCheckOptions,
): Promise<ServerCheck> {
  const violations = [...history.violations];
  const fingerprint = new Map<string, string>();
  const from = performance.now();
  const batches = await settled(ask, { violations, patienceMs });
  const settledMs = performance.now() - from;
  const files = new Map((await all<FileObject>(ask, "/v1/files")).map((file) => [file.id, file]));
  const answers = { byDigest: byDigest(calls()), seed };
  let lines = 0;

  const texts = new Map<string, string>();
  for (const { id } of files.values()) {
    const text = await content(ask, id).catch((reason: Error) => {
      violations.push(`I1 file ${id} cannot be read: ${reason.message}`);
      return "";
    });
    texts.set(id, text);
    fingerprint.set(id, hash("sha256", text));
  }
  for (const [id, { file, removal }] of history.files) {
    if (removal === "none" && !files.has(id)) violations.push(`I1 the acknowledged file ${id} is gone`);
    if (removal === "done" && files.has(id)) violations.push(`I1 the removed file ${id} is back`);
    if (files.has(id) && fingerprint.get(id) !== file.sha256)
      violations.push(`I1 file ${id} has other bytes`);
  }
  for (const { id, purpose, bytes } of files.values()) {
    const sum = fingerprint.get(id) ?? "";
    if (purpose === "batch" && !history.sent.has(sum)) violations.push(`I1 file ${id} is none that was sent`);
    if (Buffer.byteLength(texts.get(id) ?? "") !== bytes)
      violations.push(`I1 file ${id} has not ${bytes} bytes`);
  }
  for (const [id, { cancelled }] of history.batches) {
    const batch = batches.find((found) => found.id === id);
    if (batch === undefined) violations.push(`I2 the acknowledged batch ${id} is gone`);
    else if (cancelled && batch.status !== "cancelled")
      violations.push(`I2 ${id} is ${batch.status}, not cancelled`);
  }
  for (const batch of batches) {
    const text = JSON.stringify(batch);
    const before = done.get(batch.id);
    fingerprint.set(batch.id, text);
    if (before === undefined) lines += checkBatch(batch);
    else if (before !== text) violations.push(`I7 ${batch.id} has changed after its end`);
  }
  return { violations, lines, batches, fingerprint, files: [...files.keys()], settledMs };

  function checkBatch(batch: BatchObject): number {
    const { id, status, request_counts: counts, input_file_id, output_file_id, error_file_id } = batch;
    if (!isFinal(status)) return 0;
    if (status === "failed") {
      violations.push(`I2 ${id} failed: ${JSON.stringify(batch.errors)}`);
      return 0;
    }
    // Without a plan there are no lines to report: it ended before it was validated.
    if (counts.total === 0 && status !== "completed") return 0;
    const input =
      history.sent.get(fingerprint.get(input_file_id) ?? "") ?? history.files.get(input_file_id)?.file;
    if (input === undefined) {
      violations.push(`I3 the input of ${id} is none that was sent`);
      return 0;
    }
    const text = (file: string | null) => (file === null ? null : (texts.get(file) ?? ""));
    const results = { output: text(output_file_id), errors: text(error_file_id) };
    const checked = checkResults(input.requests, results, answers);
    violations.push(...checked.violations.map((violation) => `${violation} (${id}, ${status})`));
    const { completed, failed, neverRun } = checked.counts;
    if (counts.total !== input.requests.length) violations.push(`I6 ${id} has ${counts.total} lines`);
    // A line that waited for another try when its batch was ended shows its last answer and is in neither count.
    const fits = status === "completed" ? counts.failed === failed : counts.failed <= failed;
    if (counts.completed !== completed || !fits) {
      violations.push(`I6 ${id} counts ${JSON.stringify(counts)}, its files have ${completed} and ${failed}`);
    }
    if (status === "completed" && neverRun > 0)
      violations.push(`I6 ${id} is completed without ${neverRun} lines`);
    return completed + failed;
  }
}

async function settled(
  ask: Ask,
  { violations, patienceMs }: { violations: string[]; patienceMs: number },
): Promise<BatchObject[]> {
  for (const until = Date.now() + patienceMs; ; ) {
    const batches = await all<BatchObject>(ask, "/v1/batches");
    const open = batches.filter(({ status }) => !isFinal(status));
    if (open.length === 0) return batches;
    if (Date.now() > until) {
      for (const { id, status } of open) violations.push(`I9 ${id} is still ${status}`);
      return batches;
    }
    await sleep(100);
  }
}

async function all<T extends { id: string }>(ask: Ask, path: string): Promise<T[]> {
  const found: T[] = [];
  for (let after = ""; ; ) {
    const response = await ask(`${path}?limit=100${after && `&after=${after}`}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    const page = (await response.json()) as { data: T[]; has_more: boolean };
    found.push(...page.data);
    if (!page.has_more) return found;
    after = found.at(-1)?.id ?? "";
  }
}

async function content(ask: Ask, id: string): Promise<string> {
  const response = await ask(`/v1/files/${id}/content`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 200)}`);
  return text;
}
