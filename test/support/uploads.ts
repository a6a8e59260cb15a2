import { requestLine } from "./http-instance.ts";
import type { TestServer } from "./http-server.ts";

/** A batch input of one line. */
export const uploadLine = `${requestLine("a")}\n`;

export interface Answer {
  status: number;
  shouldRetry: string | null;
  body: Record<string, unknown> & { id: string; error?: { message: string; param: string | null } };
}

export async function post(
  server: TestServer,
  path: string,
  body: object | FormData | string,
): Promise<Answer> {
  const isRaw = body instanceof FormData || typeof body === "string";
  const response = await server.send(path, { method: "POST", body: isRaw ? body : JSON.stringify(body) });
  const answer = (await response.json()) as Answer["body"];
  return { status: response.status, shouldRetry: response.headers.get("x-should-retry"), body: answer };
}

/** Begins an upload of one line for a batch, unless told otherwise. */
export function createUpload(server: TestServer, more: object = {}): Promise<Answer> {
  const params = {
    filename: "a.jsonl",
    purpose: "batch",
    bytes: uploadLine.length,
    mime_type: "application/jsonl",
  };
  return post(server, "/v1/uploads", { ...params, ...more });
}

export function addPart(server: TestServer, id: string, bytes: string | Uint8Array): Promise<Answer> {
  const form = new FormData();
  form.set("data", new Blob([Uint8Array.from(Buffer.from(bytes))]), "upload");
  return post(server, `/v1/uploads/${id}/parts`, form);
}

export function completeUpload(
  server: TestServer,
  id: string,
  part_ids: unknown,
  more: object = {},
): Promise<Answer> {
  return post(server, `/v1/uploads/${id}/complete`, { part_ids, ...more });
}

export async function contentOf(server: TestServer, id: string): Promise<Buffer> {
  return Buffer.from(await (await server.send(`/v1/files/${id}/content`)).arrayBuffer());
}
