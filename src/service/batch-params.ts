import { z } from "zod";
import { parseCompletionWindow } from "../batch/duration.ts";
import { NerifError } from "../batch/errors.ts";
import { isLessWorkPair } from "../batch/less-work.ts";
import { endpointOf, endpoints, limits } from "../batch/limits.ts";
import { isPriority, priorityKey } from "../engine/dispatch/priority.ts";
import { expiresAfter } from "./expires-after.ts";
import { parseParams } from "./parse-params.ts";
import { unsupported, wrongType } from "./refusals.ts";
import { isRecord } from "./type-name.ts";

const { pairs: mostPairs, keyLength, valueLength } = limits.metadata;

/** Up to 16 pairs of text. */
export const metadata = z
  .unknown()
  .meta({
    type: ["object", "null"],
    maxProperties: mostPairs,
    additionalProperties: { type: "string", maxLength: valueLength },
  })
  .transform(checkMetadata);

/** What a batch is created from. */
export const batchParams = z.strictObject({
  input_file_id: z.string(),
  endpoint: z.preprocess((value) => endpointOf(value) ?? value, z.enum(endpoints)),
  completion_window: z.string(),
  metadata: metadata.optional(),
  output_expires_after: expiresAfter,
});

export interface BatchParams {
  input_file_id: string;
  endpoint: string;
  completion_window: string;
  metadata?: Record<string, string> | null | undefined;
  output_expires_after?: { anchor: string; seconds: number } | null | undefined;
}

export interface CheckedBatchParams extends z.output<typeof batchParams> {
  metadata: Record<string, string> | null;
  /** Length of the completion window in seconds. */
  windowSeconds: number;
}

/**
 * Everything about a new batch that can be refused without looking into its file.
 *
 * @param windows completion windows that are admitted beside `24h`, in seconds
 * @throws NerifError see `parseParams`
 */
export function checkBatchParams(
  params: unknown,
  windows: { min: number; max: number } | null,
): CheckedBatchParams {
  const checked = parseParams(batchParams, params, "create a batch");
  return {
    ...checked,
    metadata: checked.metadata ?? null,
    windowSeconds: checkWindow(checked.completion_window, windows),
  };
}

function checkWindow(window: string, admitted: { min: number; max: number } | null): number {
  if (window === "24h") return 86_400;
  if (admitted !== null) {
    const seconds = secondsOf(window);
    if (seconds !== null && seconds >= admitted.min && seconds <= admitted.max) return seconds;
  }
  throw unsupported(window, { param: "completion_window", supported: ["24h"] });
}

function secondsOf(window: string): number | null {
  try {
    return parseCompletionWindow(window);
  } catch {
    return null;
  }
}

/** By hand, since lengths count characters, and a key may be `__proto__`, which a schema of records leaves out. */
function checkMetadata(value: unknown): Record<string, string> | null {
  if (value === undefined || value === null) return null;
  if (!isRecord(value)) throw wrongType(value, { param: "metadata", expected: "an object" });
  const pairs = Object.entries(value);
  if (pairs.length > mostPairs) {
    throw new NerifError(
      "object_above_max_properties",
      `Invalid 'metadata': too many properties. Expected an object with at most ${mostPairs} properties, but got an object with ${pairs.length} properties instead.`,
      { param: "metadata" },
    );
  }
  const checked: [string, string][] = [];
  for (const [key, text] of pairs) {
    const param = `metadata.${key.slice(0, 80)}`;
    if (characters(key) > keyLength) throw tooLong("metadata", keyLength, characters(key));
    if (typeof text !== "string") throw wrongType(text, { param, expected: "a string" });
    if (characters(text) > valueLength) throw tooLong(param, valueLength, characters(text));
    if (key === priorityKey && !isPriority(text)) throw badPriority(text);
    if (!isLessWorkPair(key, text)) throw badSwitch(key, text);
    checked.push([key, text]);
  }
  return Object.fromEntries(checked);
}

/**
 * Metadata that also says which share a batch gets, from 1 to 100; as given, where no priority is.
 *
 * @throws NerifError `invalid_value` when the metadata says something else already
 */
export function withPriority(
  metadata: Readonly<Record<string, string>> | undefined,
  priority: number | undefined,
): Record<string, string> | undefined {
  if (priority === undefined) return metadata;
  const said = metadata?.[priorityKey];
  if (said === undefined || said === String(priority))
    return { ...metadata, [priorityKey]: String(priority) };
  throw new NerifError(
    "invalid_value",
    `Cannot create a batch of priority ${priority}: its metadata says ${priorityKey}=${said.slice(0, 80)}; keep one of them`,
    { param: "priority" },
  );
}

function badPriority(text: string): NerifError {
  return new NerifError(
    "invalid_value",
    `Invalid 'metadata.${priorityKey}': it must be a whole number from 1 to 100, not ${JSON.stringify(text.slice(0, 80))}.`,
    { param: `metadata.${priorityKey}` },
  );
}

function badSwitch(key: string, text: string): NerifError {
  const param = `metadata.${key}`;
  const shown = JSON.stringify(text.slice(0, 80));
  return new NerifError("invalid_value", `Invalid '${param}': it must be "true" or "false", not ${shown}.`, {
    param,
  });
}

/** Characters as people count them, not UTF-16 units. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function tooLong(param: string, most: number, length: number): NerifError {
  return new NerifError(
    "string_above_max_length",
    `Invalid '${param}': string too long. Expected a string with maximum length ${most}, but got a string with length ${length} instead.`,
    { param },
  );
}
