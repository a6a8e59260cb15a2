import type { BatchError, BatchObject } from "../batch/batch.ts";
import { formatDuration } from "../batch/duration.ts";
import type { FileObject } from "../batch/file.ts";
import type { BatchProgress } from "../batch/progress.ts";
import type { WebhookEndpointObject } from "../batch/webhook.ts";
import { routeLine } from "./route-line.ts";
import { formatSize } from "./sizes.ts";
import { escapeControls, formatCount, say } from "./terminal.ts";

/** Prints an object for programs: one line of JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Prints a line for people to stdout, whatever it quotes. */
export function print(text: string): void {
  process.stdout.write(`${escapeControls(text)}\n`);
}

/** Prints an object in one line, for programs or for people. */
export function printItem<T>(item: T, { json, line }: { json: boolean; line: (item: T) => string }): void {
  if (json) printJson(item);
  else print(line(item));
}

/** Prints a page of a list, and tells people how to see the next one. */
export function printPage<T extends { id: string }>(
  { data, has_more }: { data: readonly T[]; has_more: boolean },
  how: { json: boolean; line: (item: T) => string },
): void {
  for (const item of data) printItem(item, how);
  const last = data.at(-1);
  if (has_more && last !== undefined && !how.json) say(`There are more: --after ${last.id}`);
}

/** A batch in one line of a list. */
export function batchLine({ id, status, request_counts: counts, created_at }: BatchObject): string {
  return `${id}  ${status.padEnd(11)}  ${progressOf(counts)}  ${dateOf(created_at)}`;
}

/** A batch with everything that is set. */
export function batchLines(batch: BatchObject): string[] {
  const { id, object: _, request_counts, errors, ...rest } = batch;
  const times = /_at$/;
  const fields = Object.entries(rest).flatMap(([key, value]) => {
    if (value === null) return [];
    if (times.test(key) && typeof value === "number") return [`  ${key}: ${dateOf(value)}`];
    return [`  ${key}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`];
  });
  const refused = (errors?.data ?? []).map(
    ({ line, code, message }) => `  error: ${line === null ? "" : `line ${line}: `}${code}: ${message}`,
  );
  return [id, `  progress: ${progressOf(request_counts)}`, ...fields, ...refused];
}

/** What only the process that executes a batch can tell: its rate, and how its routes fare. */
export function progressLines({ rate, eta_seconds, routes }: BatchProgress): string[] {
  const left = eta_seconds === null ? "" : `, ${formatDuration(eta_seconds * 1_000)} left`;
  return [
    ...(rate === null ? [] : [`  rate: ${rate} lines/s${left}`]),
    ...routes.map((route) => `  ${route.reason === null ? "runs" : "waits"}: ${routeLine(route)}`),
  ];
}

/** A file in one line. */
export function fileLine({ id, bytes, created_at, purpose, filename }: FileObject): string {
  return `${id}  ${formatSize(bytes).padStart(9)}  ${purpose.padEnd(12)}  ${dateOf(created_at)}  ${filename}`;
}

/** A webhook endpoint in one line. */
export function webhookLine({ id, name, url, event_types }: WebhookEndpointObject): string {
  return `${id}  ${name}  ${url}  ${event_types.join(",")}`;
}

export function progressOf({ total, completed, failed }: BatchObject["request_counts"]): string {
  return `${formatCount(completed + failed)}/${formatCount(total)} done, ${formatCount(failed)} failed`;
}

/** `2026-11-23 08:30:00Z` */
export function dateOf(seconds: number): string {
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** One bad line of an input file, as `run` and `validate` show it. */
export function errorLine({ line, code, message }: BatchError): string {
  return `${line === null ? "" : `line ${line}: `}${code}: ${message}`;
}
