import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { NerifError } from "../../src/batch/errors.ts";
import type { FileReader, FileStore } from "../../src/files/file-store.ts";

/** What every file store must do. `makeStore` returns an empty one, whose clock says `now()` (Unix milliseconds). */
export function describeFileStoreContract(
  name: string,
  makeStore: (now?: () => number) => Promise<FileStore>,
): void {
  describe(`${name}: file store contract`, () => {
    it("shows nothing under the key until commit, and everything afterwards", async () => {
      const store = await makeStore();
      const writer = await store.create("file-a");
      await writer.write([Buffer.from("hello "), Buffer.from("world")]);
      expect(await store.size("file-a")).toBeNull();
      await expect(store.open("file-a")).rejects.toMatchObject({ code: "file_not_found" });

      const committed = await writer.commit();
      expect(committed).toEqual({ bytes: 11, sha256: sha256("hello world") });
      expect(await store.size("file-a")).toBe(11);
      expect(await contentOf(store, "file-a")).toBe("hello world");
    });

    it("keeps an empty file", async () => {
      const store = await makeStore();
      const writer = await store.create("empty");
      await writer.write([]);
      await writer.write([new Uint8Array()]);
      expect(await writer.commit()).toEqual({ bytes: 0, sha256: sha256("") });
      expect(await store.size("empty")).toBe(0);
      expect(await contentOf(store, "empty")).toBe("");
    });

    it("keeps many chunks of one write in order", async () => {
      const store = await makeStore();
      const chunks = Array.from({ length: 3_000 }, (_, index) => Buffer.from(`line ${index}\n`));
      await put(store, "many", chunks);
      expect(await contentOf(store, "many")).toBe(Buffer.concat(chunks).toString());
    });

    it("keeps writes in order when the caller does not wait for them", async () => {
      const store = await makeStore();
      const writer = await store.create("eager");
      const pieces = Array.from({ length: 50 }, (_, index) => Buffer.alloc(1_000, 65 + (index % 26)));
      const writes = pieces.map((piece) => writer.write([piece]));
      const committed = await writer.commit();
      await Promise.all(writes);
      const whole = Buffer.concat(pieces);
      expect(committed).toEqual({ bytes: 50_000, sha256: sha256(whole) });
      expect(await contentOf(store, "eager")).toBe(whole.toString());
    });

    it("replaces at commit what was there, and leaves it to readers that have it open", async () => {
      const store = await makeStore();
      await put(store, "twice", ["old content"]);
      const reader = await store.open("twice");
      await put(store, "twice", ["new"]);
      expect(await contentOf(store, "twice")).toBe("new");
      expect((await reader.read(0, 100)).toString()).toBe("old content");
      await reader.close();
    });

    it("lets the last commit win when two writers have one key", async () => {
      const store = await makeStore();
      const first = await store.create("raced");
      const second = await store.create("raced");
      await first.write([Buffer.from("first")]);
      await second.write([Buffer.from("second")]);
      await second.commit();
      await first.commit();
      expect(await contentOf(store, "raced")).toBe("first");
    });

    it("forgets the bytes when a writer aborts", async () => {
      const store = await makeStore();
      const writer = await store.create("dropped");
      await writer.write([Buffer.from("x")]);
      await writer.abort();
      await writer.abort();
      expect(await store.size("dropped")).toBeNull();
      await expect(writer.write([Buffer.from("y")])).rejects.toMatchObject({ code: "internal_error" });
      await expect(writer.commit()).rejects.toMatchObject({ code: "internal_error" });
      expect(await store.size("dropped")).toBeNull();
    });

    it("keeps the file when a writer aborts after commit, and refuses a second commit", async () => {
      const store = await makeStore();
      const writer = await store.create("kept");
      await writer.write([Buffer.from("x")]);
      await writer.commit();
      await writer.abort();
      await expect(writer.commit()).rejects.toMatchObject({ code: "internal_error" });
      await expect(writer.write([Buffer.from("y")])).rejects.toMatchObject({ code: "internal_error" });
      expect(await contentOf(store, "kept")).toBe("x");
    });

    it("reads by position, and less only at the end", async () => {
      const store = await makeStore();
      await put(store, "positions", ["0123456789"]);
      const reader = await store.open("positions");
      expect(reader.bytes).toBe(10);
      expect((await reader.read(3, 4)).toString()).toBe("3456");
      expect((await reader.read(8, 4)).toString()).toBe("89");
      expect((await reader.read(10, 4)).byteLength).toBe(0);
      expect((await reader.read(99, 4)).byteLength).toBe(0);
      await reader.close();
    });

    it("streams a range in chunks of at most 1 MiB", async () => {
      const store = await makeStore();
      const content = randomBytes(3 * 1024 * 1024 + 17);
      await put(store, "large", [content]);
      const reader = await store.open("large");
      const range = { start: 5, end: content.byteLength - 7 };
      const chunks = await collect(reader.stream(range));
      expect(Math.max(...chunks.map((chunk) => chunk.byteLength))).toBeLessThanOrEqual(1024 * 1024);
      expect(sha256(Buffer.concat(chunks))).toBe(sha256(content.subarray(range.start, range.end)));
      expect(sha256(Buffer.concat(await collect(reader.stream())))).toBe(sha256(content));
      expect(await textOf(reader, { start: 9, end: 9 })).toBe("");
      await reader.close();
    });

    it("deletes a file, and one that is not there without complaint", async () => {
      const store = await makeStore();
      await put(store, "gone", ["x"]);
      await store.delete("gone");
      await store.delete("gone");
      await store.delete("never-there");
      expect(await store.size("gone")).toBeNull();
      await expect(store.open("gone")).rejects.toMatchObject({ code: "file_not_found" });
    });

    it("keeps finished files when it removes what dead writers left", async () => {
      const store = await makeStore();
      await store.removeAbandoned();
      await put(store, "finished", ["x"]);
      await store.removeAbandoned();
      expect(await contentOf(store, "finished")).toBe("x");
    });

    it("removes files of a prefix that nothing names when they were committed more than an hour ago", async () => {
      let passed = 0;
      const store = await makeStore(() => Date.now() + passed);
      for (const key of ["part_a", "part_b", "file-a"]) await put(store, key, [key]);
      const asked: string[][] = [];
      const named = async (keys: readonly string[]) => {
        asked.push([...keys].toSorted());
        return ["part_b", "part_z"];
      };
      await store.removeUnnamed("part_", named);
      expect(await contentOf(store, "part_a")).toBe("part_a");
      passed = 3_700_000;
      await store.removeUnnamed("part_", named);
      expect(asked).toEqual([
        ["part_a", "part_b"],
        ["part_a", "part_b"],
      ]);
      expect(await store.size("part_a")).toBeNull();
      expect(await contentOf(store, "part_b")).toBe("part_b");
      expect(await contentOf(store, "file-a")).toBe("file-a");
    });

    it("asks for the names of 500 keys at a time, and removes nothing when it cannot learn them", async () => {
      const store = await makeStore(() => Date.now() + 3_700_000);
      for (let index = 0; index < 501; index += 1) await put(store, `part_${index}`, ["x"]);
      const sizes: number[] = [];
      const named = async (keys: readonly string[]) => {
        sizes.push(keys.length);
        return keys;
      };
      await store.removeUnnamed("part_", named);
      expect(sizes).toEqual([500, 1]);
      const failing = store.removeUnnamed("part_", () => Promise.reject(new Error("locked")));
      await expect(failing).rejects.toThrow();
      expect(await store.size("part_0")).toBe(1);
    });

    it.each(["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a..b", "a\0", "x".repeat(129), "/", "a\n"])(
      "refuses %j as a key",
      async (key) => {
        const store = await makeStore();
        const refusal: Partial<NerifError> = { code: "invalid_id" };
        await expect(store.create(key)).rejects.toMatchObject(refusal);
        await expect(store.open(key)).rejects.toMatchObject(refusal);
        await expect(store.size(key)).rejects.toMatchObject(refusal);
        await expect(store.delete(key)).rejects.toMatchObject(refusal);
      },
    );
  });
}

async function put(store: FileStore, key: string, chunks: (string | Uint8Array)[]): Promise<void> {
  const writer = await store.create(key);
  await writer.write(chunks.map((chunk) => Buffer.from(chunk)));
  await writer.commit();
}

async function contentOf(store: FileStore, key: string): Promise<string> {
  const reader = await store.open(key);
  try {
    return await textOf(reader);
  } finally {
    await reader.close();
  }
}

async function textOf(reader: FileReader, range?: { start: number; end: number }): Promise<string> {
  return Buffer.concat(await collect(reader.stream(range))).toString();
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const collected: Buffer[] = [];
  for await (const chunk of chunks) collected.push(chunk);
  return collected;
}

function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
