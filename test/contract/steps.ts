import type { BatchObject, BatchStatus } from "../../src/batch/batch.ts";
import type { FileObject } from "../../src/batch/file.ts";
import { isFinal } from "../../src/batch/lifecycle.ts";
import { type Answer, type Params, type Sdk, SdkError } from "./sdk/sdk.ts";

export interface ResultLine {
  id: string;
  custom_id: string;
  response: { status_code: number; request_id: string; body: Record<string, unknown> | null } | null;
  error: { code: string; message: string; type?: string } | null;
}

/** A request for a chat answer, with other fields where wanted; `undefined` leaves one out. */
export function line(index: number, fields: Params = {}): string {
  const body = { model: "simulated", messages: [{ role: "user", content: `Question ${index}` }] };
  return JSON.stringify({
    custom_id: `row-${index}`,
    method: "POST",
    url: "/v1/chat/completions",
    body,
    ...fields,
  });
}

/** The text of an input file with so many lines. */
export function lines(count: number, fields: (index: number) => Params = () => ({})): string {
  return Array.from({ length: count }, (_, index) => `${line(index, fields(index))}\n`).join("");
}

export function upload(
  sdk: Sdk,
  content: string | Buffer = lines(1),
  name = "input.jsonl",
): Promise<Answer<FileObject>> {
  return sdk.files.create({ file: { bytes: content, name }, purpose: "batch" });
}

/** Uploads and creates. */
export async function start(
  sdk: Sdk,
  content?: string | Buffer,
  params: Params = {},
): Promise<Answer<BatchObject>> {
  const { id } = await upload(sdk, content);
  return sdk.batches.create({ input_file_id: id, ...chat, ...params });
}

/** Creates a batch from whatever is given; the method of Python's SDK insists on what is required. */
export function rawBatch(sdk: Sdk, body: Params): Promise<unknown> {
  return sdk.request({ method: "post", path: "/batches", body });
}

export const chat = { endpoint: "/v1/chat/completions", completion_window: "24h" } as const;

/** Uploads, creates, and waits for the end. */
export async function run(sdk: Sdk, content?: string | Buffer, params: Params = {}): Promise<BatchObject> {
  return untilFinal(sdk, (await start(sdk, content, params)).id);
}

export function untilFinal(sdk: Sdk, id: string): Promise<BatchObject> {
  return until(sdk, id, ({ status }) => isFinal(status));
}

export function untilStatus(sdk: Sdk, id: string, status: BatchStatus): Promise<BatchObject> {
  return until(sdk, id, (batch) => batch.status === status || isFinal(batch.status));
}

/** Polls, as the users of the SDKs have to. */
export async function until(
  sdk: Sdk,
  id: string,
  condition: (batch: BatchObject) => boolean,
): Promise<BatchObject> {
  for (;;) {
    const batch = await sdk.batches.retrieve(id);
    if (condition(batch)) return batch;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function resultLines(sdk: Sdk, fileId: string | null): Promise<ResultLine[]> {
  if (fileId === null) return [];
  const text = (await sdk.files.content(fileId)).toString();
  return text
    .split("\n")
    .filter((each) => each !== "")
    .map((each) => JSON.parse(each) as ResultLine);
}

/** What a call is refused with; a call that is not refused is a failure. */
export async function refusal(call: Promise<unknown>): Promise<SdkError> {
  try {
    await call;
  } catch (reason) {
    if (reason instanceof SdkError) return reason;
    throw reason;
  }
  throw new Error("The call was not refused");
}

/** Runs a bad input and gives what is listed as wrong with it. */
export async function inputErrors(sdk: Sdk, content: string | Buffer, params: Params = {}) {
  const batch = await run(sdk, content, params);
  return batch.errors?.data ?? [];
}
