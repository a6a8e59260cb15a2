import { isUtf8 } from "node:buffer";
import { addTokens, type Tokens, tokensOf } from "../batch/usage.ts";

/** What a line of a result file says. */
export interface ResultLine {
  id: string;
  /** What of the id names the batch: its id, as far as it stands there. */
  batch: string;
  /** 0-based index of the request, out of the id. */
  index: number;
  customId: string;
  outcome: "succeeded" | "failed" | "neverRun";
  usage: unknown;
}

const idShape = /^batch_req_([0-9a-f]{24})([0-9a-f]{8})$/;

/** Reads a line of a result file; what is wrong with it instead, when something is. */
export function readResult(bytes: Buffer): ResultLine | string {
  if (!isUtf8(bytes)) return "It is not valid UTF-8";
  const line = parse(bytes.toString("utf8"));
  if (line === null) return "It is not a JSON object";
  const { id, custom_id: customId, response, error } = line;
  const [, batch, index] = typeof id === "string" ? (idShape.exec(id) ?? []) : [];
  if (batch === undefined || index === undefined) return "Its id is not that of a result";
  if (typeof customId !== "string") return "It has no custom_id";
  if (response !== null && !isResponse(response)) return "Its response is neither null nor a response";
  if (error !== null && !isError(error)) return "Its error is neither null nor an error";
  if (response === null && error === null) return "It has neither a response nor an error";
  if (error === null && (response === null || response.status_code < 200 || response.status_code > 299)) {
    return "It has no error though it has not succeeded";
  }
  const named = { id: id as string, batch: `batch_${batch}`, index: Number.parseInt(index, 16), customId };
  const usage = isObject(response?.body) ? response.body.usage : null;
  return { ...named, outcome: outcomeOf(error), usage };
}

/** Adds what an answer says of its tokens. */
export function addTokensOf({ usage }: ResultLine, sum: Tokens): void {
  const tokens = tokensOf(usage);
  if (tokens !== null) addTokens(sum, tokens);
}

function outcomeOf(error: { code: string } | null): ResultLine["outcome"] {
  if (error === null) return "succeeded";
  return error.code === "batch_expired" || error.code === "batch_cancelled" ? "neverRun" : "failed";
}

function isResponse(value: unknown): value is { status_code: number; body: unknown } {
  return isObject(value) && Number.isInteger(value.status_code) && "body" in value;
}

function isError(value: unknown): value is { code: string } {
  return isObject(value) && typeof value.code === "string" && typeof value.message === "string";
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
