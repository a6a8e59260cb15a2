import { type FileHandle, mkdtemp, open, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDiskReader } from "./disk-reader.ts";

const MiB = 1024 * 1024;
const content = Buffer.alloc(2 * MiB + 5).map((_, i) => i % 251);
let directory: string;
let handle: FileHandle;
/** Where reading began, in order. */
let began: number[];
let broken: Error | null;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "nerif-reader-"));
  const path = join(directory, "file");
  await writeFile(path, content);
  handle = await open(path);
  began = [];
  broken = null;
  const read = handle.read.bind(handle) as (...args: unknown[]) => Promise<unknown>;
  const noted = async (...args: unknown[]) => {
    began.push(Number(args[3]));
    if (broken !== null && began.length > 1) throw broken;
    return read(...args);
  };
  handle.read = noted as typeof handle.read;
});

afterEach(async () => {
  await handle.close();
  await rm(directory, { recursive: true });
});

test("stream() reads the next chunk while the one before it is in use, and no more", async () => {
  const chunks: Buffer[] = [];
  const seen: number[][] = [];
  for await (const chunk of reader().stream()) {
    chunks.push(chunk);
    seen.push([...began]);
  }
  expect(seen).toEqual([
    [0, MiB],
    [0, MiB, 2 * MiB],
    [0, MiB, 2 * MiB],
  ]);
  expect(chunks.map(({ length }) => length)).toEqual([MiB, MiB, 5]);
  expect(Buffer.concat(chunks).equals(content)).toBe(true);
});

test("stream() keeps the error of what it read ahead until it is wanted", async () => {
  broken = new Error("disk on fire");
  const stream = reader().stream();
  const iterator = stream[Symbol.asyncIterator]();
  expect((await iterator.next()).value).toHaveLength(MiB);
  await new Promise(setImmediate);
  await expect(iterator.next()).rejects.toMatchObject({ cause: broken });
});

test("stream() ends early without the error of what it read ahead", async () => {
  broken = new Error("disk on fire");
  for await (const chunk of reader().stream()) {
    expect(chunk).toHaveLength(MiB);
    break;
  }
  expect(began).toEqual([0, MiB]);
});

test("stream() reads into the same memory again once a chunk need not be valid any more", async () => {
  const seen: ArrayBufferLike[] = [];
  const copies: Buffer[] = [];
  for await (const chunk of reader().stream(undefined, { valid: 1 })) {
    seen.push(chunk.buffer);
    copies.push(Buffer.from(chunk));
  }
  expect(Buffer.concat(copies).equals(content)).toBe(true);
  expect(seen[1]).not.toBe(seen[0]);
  expect(seen[2]).toBe(seen[0]);
});

test("stream() keeps as many chunks as have to be valid", async () => {
  const chunks: Buffer[] = [];
  for await (const chunk of reader().stream(undefined, { valid: 3 })) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(content)).toBe(true);
});

test("isUnchanged() tells whether somebody has written to the file since", async () => {
  const opened = createDiskReader({ handle, opened: await handle.stat({ bigint: true }), action: "read it" });
  expect(await opened.isUnchanged?.()).toBe(true);
  await utimes(join(directory, "file"), 1, 1);
  expect(await opened.isUnchanged?.()).toBe(false);
});

function reader() {
  return createDiskReader({
    handle,
    opened: { size: BigInt(content.length), mtimeNs: 0n },
    action: "read it",
  });
}
