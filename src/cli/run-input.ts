import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { NerifError } from "../batch/errors.ts";
import { type Endpoint, endpointOf } from "../batch/limits.ts";

/** What an input file looked like. */
export interface Fingerprint {
  bytes: number;
  /** Time of the last modification in nanoseconds, as text: it does not fit into a number. */
  modified: string;
  /** Hexadecimal SHA-256 of the bytes. */
  sha256: string;
}

const usual: Endpoint = "/v1/chat/completions";

export type FileStat = Omit<Fingerprint, "sha256">;

export async function statInput(path: string): Promise<FileStat> {
  const { size, mtimeNs } = await stat(path, { bigint: true });
  return { bytes: Number(size), modified: String(mtimeNs) };
}

/**
 * Reads a whole file for its sum, unless it still looks as it did when `known` was taken.
 *
 * @throws NerifError `input_changed` when it changes meanwhile
 */
export async function fingerprint(path: string, known: Fingerprint | null = null): Promise<Fingerprint> {
  const before = await statInput(path);
  if (known !== null && looksSame(before, known)) return known;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk);
  if (!looksSame(before, await statInput(path))) {
    throw new NerifError("input_changed", `Cannot run ${path}: it is being written right now`, {
      param: "input",
    });
  }
  return { ...before, sha256: hash.digest("hex") };
}

export function looksSame(a: FileStat, b: FileStat): boolean {
  return a.bytes === b.bytes && a.modified === b.modified;
}

/**
 * The endpoint that a batch of this file is created with: the url of its first line where that is a supported
 * one. Every line goes where its own url says; only strict mode holds them against this one.
 */
export async function firstEndpoint(path: string, maxLineBytes: number): Promise<Endpoint> {
  const line: Buffer[] = [];
  let bytes = 0;
  let isStart = true;
  for await (const chunk of createReadStream(path, { highWaterMark: 64 * 1024 })) {
    const text = isStart && bom.equals(chunk.subarray(0, bom.length)) ? chunk.subarray(bom.length) : chunk;
    isStart = false;
    // There may be any number of blank lines before the first one: none is kept.
    const part = line.length === 0 ? withoutBlanks(text) : text;
    if (part.length === 0) continue;
    const end = part.indexOf(newline);
    line.push(end === -1 ? part : part.subarray(0, end));
    bytes += part.length;
    if (end !== -1 || bytes > maxLineBytes) break;
  }
  return endpointIn(line);
}

const bom = Buffer.from("\ufeff");
const newline = 10;
const blanks = new Set([9, newline, 13, 32]);

function withoutBlanks(text: Buffer): Buffer {
  const at = text.findIndex((byte) => !blanks.has(byte));
  return at === -1 ? text.subarray(text.length) : text.subarray(at);
}

function endpointIn(line: readonly Buffer[]): Endpoint {
  try {
    const request: unknown = JSON.parse(Buffer.concat(line).toString("utf8"));
    const url = typeof request === "object" && request !== null && "url" in request ? request.url : null;
    return endpointOf(url) ?? usual;
  } catch {
    // Validation will tell what is wrong with the line. One that is too long for a string has the usual endpoint too.
    return usual;
  }
}
