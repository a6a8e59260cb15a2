import { parseCompletionWindow } from "../batch/duration.ts";
import { NerifError } from "../batch/errors.ts";
import { type Endpoint, endpoints, isEndpoint, limits } from "../batch/limits.ts";
import { checkExpiresAfter, type ExpiresAfter } from "./check-expires-after.ts";
import { isRecord, typeName } from "./type-name.ts";

export interface BatchParams {
  input_file_id: string;
  endpoint: string;
  completion_window: string;
  metadata?: Record<string, string> | null | undefined;
  output_expires_after?: { anchor: string; seconds: number } | null | undefined;
}

export interface CheckedBatchParams {
  input_file_id: string;
  endpoint: Endpoint;
  completion_window: string;
  /** Length of the completion window in seconds. */
  windowSeconds: number;
  metadata: Record<string, string> | null;
  output_expires_after: ExpiresAfter | null;
}

/**
 * Everything about a new batch that can be refused without looking into its file.
 *
 * @param windows completion windows that are admitted beside `24h`, in seconds
 * @throws NerifError `missing_required_parameter`, `invalid_type`, `invalid_value`, and for limits of metadata
 *   and expiry
 */
export function checkBatchParams(
  params: unknown,
  windows: { min: number; max: number } | null,
): CheckedBatchParams {
  if (!isRecord(params)) {
    throw new NerifError(
      "invalid_type",
      `Cannot create a batch: expected an object, but got ${typeName(params)}`,
    );
  }
  const inputFileId = requiredString(params, "input_file_id");
  const endpoint = requiredString(params, "endpoint");
  const window = requiredString(params, "completion_window");
  if (!isEndpoint(endpoint)) throw unsupported(endpoint, "endpoint", endpoints);
  return {
    input_file_id: inputFileId,
    endpoint,
    completion_window: window,
    windowSeconds: checkWindow(window, windows),
    metadata: checkMetadata(params.metadata),
    output_expires_after: checkExpiresAfter(params.output_expires_after, "output_expires_after"),
  };
}

function requiredString(params: Record<string, unknown>, param: string): string {
  const value = params[param];
  if (value === undefined || value === null) {
    throw new NerifError("missing_required_parameter", `Missing required parameter: '${param}'.`, { param });
  }
  if (typeof value !== "string") throw wrongType(value, param);
  return value;
}

function checkWindow(window: string, admitted: { min: number; max: number } | null): number {
  if (window === "24h") return 86_400;
  if (admitted !== null) {
    const seconds = secondsOf(window);
    if (seconds !== null && seconds >= admitted.min && seconds <= admitted.max) return seconds;
  }
  throw unsupported(window, "completion_window", ["24h"]);
}

function secondsOf(window: string): number | null {
  try {
    return parseCompletionWindow(window);
  } catch {
    return null;
  }
}

function checkMetadata(metadata: unknown): Record<string, string> | null {
  if (metadata === undefined || metadata === null) return null;
  if (!isRecord(metadata)) {
    throw new NerifError(
      "invalid_type",
      `Invalid type for 'metadata': expected an object, but got ${typeName(metadata)} instead.`,
      { param: "metadata" },
    );
  }
  const pairs = Object.entries(metadata);
  const { pairs: most, keyLength, valueLength } = limits.metadata;
  if (pairs.length > most) {
    throw new NerifError(
      "object_above_max_properties",
      `Invalid 'metadata': too many properties. Expected an object with at most ${most} properties, but got an object with ${pairs.length} properties instead.`,
      { param: "metadata" },
    );
  }
  const checked: [string, string][] = [];
  for (const [key, value] of pairs) {
    const param = `metadata.${key.slice(0, 80)}`;
    if (characters(key) > keyLength) throw tooLong("metadata", keyLength, characters(key));
    if (typeof value !== "string") throw wrongType(value, param);
    if (characters(value) > valueLength) throw tooLong(param, valueLength, characters(value));
    checked.push([key, value]);
  }
  return Object.fromEntries(checked);
}

/** Characters as people count them, not UTF-16 units. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function wrongType(value: unknown, param: string): NerifError {
  return new NerifError(
    "invalid_type",
    `Invalid type for '${param}': expected a string, but got ${typeName(value)} instead.`,
    { param },
  );
}

function tooLong(param: string, most: number, length: number): NerifError {
  return new NerifError(
    "string_above_max_length",
    `Invalid '${param}': string too long. Expected a string with maximum length ${most}, but got a string with length ${length} instead.`,
    { param },
  );
}

function unsupported(value: string, param: string, supported: readonly string[]): NerifError {
  const names = supported.map((name) => `'${name}'`);
  const list = names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")}, and ${names.at(-1)}`;
  return new NerifError(
    "invalid_value",
    `Invalid value: '${value.slice(0, 80)}'. Supported values are: ${list}.`,
    { param },
  );
}
