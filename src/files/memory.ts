import { createHash } from "node:crypto";
import { NerifError } from "../batch/errors.ts";
import type { FileReader, FileStore, FileWriter } from "./file-store.ts";
import { assertKey, isOperatorPath } from "./key.ts";
import { abandonedMs, unnamedOf } from "./unnamed.ts";

const chunkBytes = 1024 * 1024;

/**
 * Files in memory, for tests and for trying things out; nothing survives the process.
 *
 * @param options.now Unix time in milliseconds. Default: the system's
 */
export function createMemoryFileStore({ now = Date.now }: { now?: () => number } = {}): FileStore {
  const files = new Map<string, { content: Buffer; committedAt: number }>();

  return {
    async create(key): Promise<FileWriter> {
      assertKey(key);
      return createMemoryWriter(key, (content) => files.set(key, { content, committedAt: now() }));
    },
    async open(key): Promise<FileReader> {
      assertKey(key);
      const content = files.get(key)?.content;
      if (content === undefined) {
        throw new NerifError("file_not_found", `Cannot read file ${key}: no such file or directory`);
      }
      return createMemoryReader(content);
    },
    async size(key) {
      assertKey(key);
      return files.get(key)?.content.byteLength ?? null;
    },
    async delete(key) {
      assertKey(key);
      files.delete(key);
    },
    async removeAbandoned() {},
    async removeUnnamed(prefix, named) {
      const keys = [...files.keys()].filter((key) => key.startsWith(prefix) && !isOperatorPath(key));
      for await (const key of unnamedOf(keys, named)) {
        if (now() - (files.get(key)?.committedAt ?? now()) > abandonedMs) files.delete(key);
      }
    },
  };
}

function createMemoryWriter(key: string, publish: (content: Buffer) => void): FileWriter {
  const chunks: Uint8Array[] = [];
  let state: "open" | "committed" | "aborted" = "open";

  function assertOpen(): void {
    if (state === "open") return;
    throw new NerifError("internal_error", `Cannot write file ${key}: it was ${state} already`);
  }

  return {
    async write(more) {
      assertOpen();
      for (const chunk of more) chunks.push(Uint8Array.from(chunk));
    },
    async commit() {
      assertOpen();
      state = "committed";
      const content = Buffer.concat(chunks);
      publish(content);
      return { bytes: content.byteLength, sha256: createHash("sha256").update(content).digest("hex") };
    },
    async abort() {
      if (state === "open") state = "aborted";
      chunks.length = 0;
    },
  };
}

function createMemoryReader(content: Buffer): FileReader {
  const bytes = content.byteLength;
  return {
    bytes,
    read: async (offset, length) => Buffer.from(content.subarray(offset, offset + length)),
    async *stream(range = { start: 0, end: bytes }) {
      const end = Math.min(range.end, bytes);
      for (let at = range.start; at < end; at += chunkBytes) {
        yield Buffer.from(content.subarray(at, Math.min(at + chunkBytes, end)));
      }
    },
    async close() {},
  };
}
