import type { FileContent } from "../service/files.ts";
import { giveAway } from "../service/owned-bytes.ts";
import { type ByteRange, byteRange } from "./byte-range.ts";
import { byteStream } from "./byte-stream.ts";
import { attachment } from "./content-disposition.ts";
import { envelopeResponse } from "./error-response.ts";

/** Answers a download: whole or in part, or not at all when the client has these bytes already. */
export async function contentResponse(
  request: Request,
  { content, onError }: { content: FileContent; onError: (reason: unknown) => void },
): Promise<Response> {
  const { file, sha256 } = content;
  const etag = `"${sha256}"`;
  const headers: Record<string, string> = {
    "accept-ranges": "bytes",
    "cache-control": "private, no-cache",
    etag,
  };
  if (!hasWanted(request, etag)) {
    await content.close();
    return refusal(412, { message: "Cannot answer: the file is not the one of If-Match", headers });
  }
  if (hasCurrent(request, etag)) {
    await content.close();
    return new Response(null, { status: 304, headers });
  }
  const range = wantedRange(request, { etag, size: file.bytes });
  if (range.type === "unsatisfiable") {
    await content.close();
    const message = `Cannot answer the Range: the file has ${file.bytes} bytes`;
    return refusal(416, { message, headers: { ...headers, "content-range": `bytes */${file.bytes}` } });
  }
  const { start, end } = range.type === "part" ? range : { start: 0, end: file.bytes };
  Object.assign(headers, {
    "content-type": "application/octet-stream",
    "content-disposition": attachment(file.filename),
    "content-length": String(end - start),
    "x-content-type-options": "nosniff",
  });
  const status = range.type === "part" ? 206 : 200;
  if (status === 206) headers["content-range"] = `bytes ${start}-${end - 1}/${file.bytes}`;
  if (request.method === "HEAD" || start === end) {
    await content.close();
    return new Response(null, { status, headers });
  }
  const body = byteStream(givenAway(content.stream({ start, end })), { onEnd: content.close, onError });
  return new Response(body, { status, headers });
}

async function* givenAway(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    giveAway(chunk);
    yield chunk;
  }
}

/** Unlike those of `If-None-Match`, these have to be exactly the same (RFC 9110, 13.1.1). */
function hasWanted(request: Request, etag: string): boolean {
  const wanted = request.headers.get("if-match");
  return wanted === null || wanted.split(",").some((tag) => tag.trim() === "*" || tag.trim() === etag);
}

function hasCurrent(request: Request, etag: string): boolean {
  const known = request.headers.get("if-none-match");
  if (known === null) return false;
  return known.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
}

function wantedRange(request: Request, { etag, size }: { etag: string; size: number }): ByteRange {
  const condition = request.headers.get("if-range");
  if (request.method !== "GET" || (condition !== null && condition !== etag)) return { type: "whole" };
  return byteRange(request.headers.get("range"), size);
}

const codes = { 412: "precondition_failed", 416: "range_not_satisfiable" } as const;

function refusal(
  status: keyof typeof codes,
  { message, headers }: { message: string; headers: Record<string, string> },
): Response {
  const error = { message, type: "invalid_request_error", param: null, code: codes[status] };
  return envelopeResponse(status, { envelope: { error }, headers });
}
