import { describe, expect, it } from "vitest";
import { aFile } from "../../test/support/control-rows.ts";
import type { StoredFile } from "../batch/file.ts";
import type { FileStore } from "../files/file-store.ts";
import { createMemoryFileStore } from "../files/memory.ts";
import { openChecked } from "./checked-reader.ts";

const large = Buffer.alloc(3 * 1024 * 1024 + 17, "0123456789\n");

async function stored(
  content: Buffer,
  damageAt: number | null,
): Promise<{ files: FileStore; file: StoredFile }> {
  const files = createMemoryFileStore();
  const record = aFile();
  const put = async (bytes: Buffer) => {
    const writer = await files.create(record.key);
    await writer.write([bytes]);
    return writer.commit();
  };
  const file = { ...record, ...(await put(content)) };
  const damaged = Buffer.from(content);
  if (damageAt !== null) damaged[damageAt] = (damaged[damageAt] ?? 0) ^ 4;
  await put(damaged);
  return { files, file };
}

async function read(
  { files, file }: { files: FileStore; file: StoredFile },
  range?: { start: number; end: number },
) {
  const reader = await openChecked(files, file);
  const chunks: Buffer[] = [];
  const failure = await (async () => {
    for await (const chunk of reader.stream(range)) chunks.push(chunk);
    return null;
  })().catch((reason: unknown) => reason);
  await reader.close();
  return { bytes: Buffer.concat(chunks), failure };
}

describe("a checked reader", () => {
  it.each([0, 1, 100, large.length])("gives away sound bytes as they are: %d of them", async (size) => {
    const { bytes, failure } = await read(await stored(large.subarray(0, size), null));
    expect(failure).toBeNull();
    expect(bytes.equals(large.subarray(0, size))).toBe(true);
  });

  it.each([0, 1_500_000, large.length - 1])("never completes a stream with byte %d damaged", async (at) => {
    const { bytes, failure } = await read(await stored(large, at));
    expect(failure).toMatchObject({ code: "data_damaged" });
    expect(bytes.length).toBeLessThan(large.length);
  });

  it("gives away nothing of a damaged file that fits into one chunk", async () => {
    const { bytes, failure } = await read(await stored(Buffer.from("one line\n"), 3));
    expect(failure).toMatchObject({ code: "data_damaged" });
    expect(bytes).toHaveLength(0);
  });

  it("gives away no part of a file that is damaged anywhere", async () => {
    const damaged = await stored(large, large.length - 1);
    const { bytes, failure } = await read(damaged, { start: 10, end: 20 });
    expect(failure).toMatchObject({ code: "data_damaged" });
    expect(bytes).toHaveLength(0);
    const sound = await read(await stored(large, null), { start: 10, end: 20 });
    expect(sound.bytes.equals(large.subarray(10, 20))).toBe(true);
  });

  it("reads the whole for the first part only", async () => {
    const { files, file } = await stored(large, null);
    let streams = 0;
    const counting: FileStore = {
      ...files,
      async open(key) {
        const reader = await files.open(key);
        const stream: typeof reader.stream = (range) => {
          streams += 1;
          return reader.stream(range);
        };
        return { ...reader, stream };
      },
    };
    await read({ files: counting, file }, { start: 0, end: 5 });
    expect(streams).toBe(2);
    await read({ files: counting, file }, { start: 5, end: 9 });
    expect(streams).toBe(3);
  });

  it("reads the whole once for all who ask for parts at the same time, also when the first of them leaves", async () => {
    const { files, file } = await stored(large, null);
    let bytes = 0;
    const counting: FileStore = {
      ...files,
      async open(key) {
        const reader = await files.open(key);
        let isOpen = true;
        return {
          ...reader,
          async *stream(range) {
            for await (const chunk of reader.stream(range)) {
              if (!isOpen) throw new Error("it was closed");
              bytes += chunk.byteLength;
              yield chunk;
            }
          },
          async close() {
            isOpen = false;
            await reader.close();
          },
        };
      },
    };
    const first = await openChecked(counting, file);
    const left = first.stream({ start: 0, end: 100 })[Symbol.asyncIterator]().next();
    await first.close();
    const ranges = Array.from({ length: 30 }, (_, i) => ({ start: i * 100, end: i * 100 + 100 }));
    const parts = await Promise.all(ranges.map((range) => read({ files: counting, file }, range)));
    for (const [i, part] of parts.entries()) {
      expect(part.bytes.equals(large.subarray(i * 100, i * 100 + 100))).toBe(true);
    }
    await expect(left).rejects.toThrow("it was closed");
    expect(bytes).toBe(large.byteLength + 30 * 100);
  });

  it("looks again at a file that could not be read", async () => {
    const { files, file } = await stored(large, null);
    let failures = 1;
    const failing: FileStore = {
      ...files,
      async open(key) {
        const reader = await files.open(key);
        const stream: typeof reader.stream = (range) => {
          if (failures-- > 0) throw new Error("it is away");
          return reader.stream(range);
        };
        return { ...reader, stream };
      },
    };
    expect((await read({ files: failing, file }, { start: 0, end: 5 })).failure).not.toBeNull();
    const { bytes, failure } = await read({ files: failing, file }, { start: 0, end: 5 });
    expect([failure, bytes.toString()]).toEqual([null, "01234"]);
  });
});
