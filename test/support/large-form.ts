import { createHash, type Hash } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { json } from "node:stream/consumers";

export const MiB = 1024 * 1024;

const lineBytes = 1024;

/** `count` blocks of 1 MiB each, starting with number `from`: lines of a batch input, no two alike. The buffer is used again. */
export function* blocks(from: number, count: number): Generator<Buffer> {
  const perBlock = MiB / lineBytes;
  const start = '{"custom_id":"row-';
  const line = `${start}0000000000","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"`;
  const block = Buffer.from(`${line.padEnd(lineBytes - 4, "x")}"}}\n`.repeat(perBlock));
  for (let at = from; at < from + count; at += 1) {
    for (let row = 0; row < perBlock; row += 1) {
      const number = String(at * perBlock + row).padStart(10, "0");
      block.write(number, row * lineBytes + start.length, "latin1");
    }
    yield block;
  }
}

export function sha256Of(some: Iterable<Buffer>): string {
  const hash = createHash("sha256");
  for (const block of some) hash.update(block);
  return hash.digest("hex");
}

/** Sends a form with one file that is too large to be held, with its blocks as they come, and returns the answer. */
export async function sendLargeForm(
  url: string,
  { file, fields = {}, some }: { file: string; fields?: Record<string, string>; some: Iterable<Buffer> },
): Promise<{ status: number; body: Record<string, unknown> }> {
  const outgoing = request(url, {
    method: "POST",
    headers: { "content-type": "multipart/form-data; boundary=x" },
  });
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  const head = 'content-disposition: form-data; name="';
  for (const [name, value] of Object.entries(fields))
    outgoing.write(`--x\r\n${head}${name}"\r\n\r\n${value}\r\n`);
  outgoing.write(`--x\r\n${head}${file}"; filename="large.jsonl"\r\n\r\n`);
  for (const block of some) {
    // Copied: what waits in the socket must not change.
    if (!outgoing.write(Buffer.from(block))) await once(outgoing, "drain");
  }
  outgoing.end("\r\n--x--\r\n");
  const [response] = await answered;
  return { status: response.statusCode ?? 0, body: (await json(response)) as Record<string, unknown> };
}

export async function downloadSha256(url: string): Promise<{ sha256: string; bytes: number }> {
  const outgoing = request(url).end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const hash: Hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest("hex"), bytes };
}
