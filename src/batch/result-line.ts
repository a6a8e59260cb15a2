import type { Ending } from "./batch.ts";
import { lineIdPrefix, lineKey } from "./ids.ts";

/** Which line of which batch a result belongs to; `customId` is the raw JSON string of the input, quotes included. */
export interface LineName {
  batchId: string;
  line: number;
  customId: string;
}

export interface LineError {
  code: string;
  message: string;
  type: string;
}

/** One line of an output file, without its newline, in pieces; the answer's bytes are not copied. */
export function successLine(name: LineName, answer: UpstreamResponse & { body: Uint8Array }): Uint8Array[] {
  const key = lineKey(name.batchId, name.line);
  return [
    Buffer.from(`${head(name, key)},"response":${responseHead(answer, key)}`),
    answer.body,
    successTail,
  ];
}

/** One line of an error file. Both halves are always there: what the upstream answered, if it did, and why it failed. */
export function failureLine(
  name: LineName,
  response: UpstreamResponse | null,
  error: LineError,
): Uint8Array[] {
  const end = `,"error":${JSON.stringify({ code: error.code, message: error.message, type: error.type })}}`;
  const key = lineKey(name.batchId, name.line);
  if (response === null) return [Buffer.from(`${head(name, key)},"response":null${end}`)];
  const start = Buffer.from(`${head(name, key)},"response":${responseHead(response, key)}`);
  return [start, response.body ?? nullBody, Buffer.from(`}${end}`)];
}

/**
 * The finished line of one request under the name of another that asked for the same. The request id stays: it is
 * that of the one call that was made.
 */
export function copiedLine(finished: Uint8Array, name: LineName): Uint8Array[] {
  const key = lineKey(name.batchId, name.line);
  return [Buffer.from(head(name, key)), finished.subarray(headEnd(finished))];
}

/** The error of a line that was never answered because its batch was ended before. */
export function neverRunError(ending: Exclude<Ending, "completed">): LineError {
  return ending === "expired"
    ? {
        code: "batch_expired",
        message: "This request could not be executed before the completion window expired.",
        type: "batch_error",
      }
    : {
        code: "batch_cancelled",
        message: "This request was not executed because the batch was cancelled.",
        type: "batch_error",
      };
}

/** The error of a line whose request was damaged in the store after it was validated; it was not sent. */
export const damagedLineError: LineError = {
  code: "input_damaged",
  message: "This request was damaged on disk after it was validated, and was not sent.",
  type: "batch_error",
};

interface UpstreamResponse {
  status: number;
  requestId: string | null;
  /** JSON text, or null when the upstream sent none. */
  body: Uint8Array | null;
}

const successTail = Buffer.from(`},"error":null}`);
const nullBody = Buffer.from("null");

function head({ customId }: LineName, key: string): string {
  return `{"id":"${lineIdPrefix}${key}","custom_id":${customId}`;
}

const idHead = head({ batchId: "", line: 0, customId: "" }, "0".repeat(32)).length;

/** Where the `custom_id` of a finished line ends: nothing in front of it varies in length. */
function headEnd(finished: Uint8Array): number {
  let at = idHead + 1;
  while (finished[at] !== 0x22 && at < finished.length) at += finished[at] === 0x5c ? 2 : 1;
  return at + 1;
}

function responseHead(response: UpstreamResponse, key: string): string {
  const { status, requestId } = response;
  const id = requestId === null ? `"${key}"` : JSON.stringify(requestId);
  return `{"status_code":${status},"request_id":${id},"body":`;
}
