import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { describeFileStoreContract } from "../../test/contracts/file-store.ts";
import type { NerifError } from "../batch/errors.ts";
import { createDiskFileStore } from "./disk.ts";

const root = await mkdtemp(join(tmpdir(), "nerif-files-"));
let directories = 0;

afterAll(() => rm(root, { recursive: true, force: true }));

describeFileStoreContract("disk", async (now) => createDiskFileStore(newDirectory(), now && { now }));

describe("disk file store", () => {
  it("creates its directory for the owner alone, and files likewise", async () => {
    const directory = join(newDirectory(), "deep", "files");
    await put(directory, "file-a", "x");
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, "file-a"))).mode & 0o777).toBe(0o600);
  });

  it("reads and writes an absolute path in place, with the mode that the umask leaves", async () => {
    const target = join(await existingDirectory(), "out.jsonl");
    await put(newDirectory(), target, "line\n");
    expect(await readFile(target, "utf8")).toBe("line\n");
    expect((await stat(target)).mode & 0o777).toBe(0o666 & ~process.umask());
    const store = createDiskFileStore(newDirectory());
    expect(await store.size(target)).toBe(5);
    await store.delete(target);
    expect(existsSync(target)).toBe(false);
  });

  it("leaves no temporary behind after commit or abort", async () => {
    const directory = newDirectory();
    const store = createDiskFileStore(directory);
    const aborted = await store.create("file-a");
    await aborted.write([Buffer.from("x")]);
    expect(await readdir(directory)).toHaveLength(1);
    await aborted.abort();
    await put(directory, "file-b", "x");
    expect(await readdir(directory)).toEqual(["file-b"]);
  });

  it("removes what dead writers left, but nothing else and no living writer's bytes", async () => {
    const directory = newDirectory();
    const store = createDiskFileStore(directory);
    const living = await store.create("file-a");
    await living.write([Buffer.from("alive")]);
    const [dead, foreign, others] = [
      "file-a.tmp-0123456789abcdef",
      "file-b.tmp-note",
      "file-c.tmp-0123456789abcdef",
    ];
    for (const name of [dead, foreign, others]) await writeFile(join(directory, name), "x");
    const hoursAgo = new Date(Date.now() - 2 * 3_600_000);
    for (const name of [dead, foreign]) await utimes(join(directory, name), hoursAgo, hoursAgo);
    await store.removeAbandoned();
    await living.commit();
    expect((await readdir(directory)).sort()).toEqual(["file-a", foreign, others]);
    expect(await readFile(join(directory, "file-a"), "utf8")).toBe("alive");
  });

  it("goes by the time of the commit, not by that of the bytes, when it looks for what nothing names", async () => {
    const directory = newDirectory();
    const store = createDiskFileStore(directory);
    await put(directory, "part_a", "written long before its commit");
    const hoursAgo = new Date(Date.now() - 2 * 3_600_000);
    await utimes(join(directory, "part_a"), hoursAgo, hoursAgo);
    await store.removeUnnamed("part_", async () => []);
    expect(await readdir(directory)).toEqual(["part_a"]);
  });

  it("has nothing to remove while its directory does not exist", async () => {
    await createDiskFileStore(newDirectory()).removeUnnamed("part_", () =>
      Promise.reject(new Error("asked")),
    );
  });

  it("clears up beside an operator's path what a killed writer of that file left", async () => {
    const directory = await existingDirectory();
    await writeFile(join(directory, "out.jsonl.tmp-0123456789abcdef"), "dead");
    await writeFile(join(directory, "other.jsonl.tmp-0123456789abcdef"), "of another run");
    await put(newDirectory(), join(directory, "out.jsonl"), "x");
    expect((await readdir(directory)).sort()).toEqual(["other.jsonl.tmp-0123456789abcdef", "out.jsonl"]);
  });

  it("leaves the temporary of another process alone whose file's long name begins alike", async () => {
    const directory = await existingDirectory();
    const name = "customer-support-conversations-evaluation-2026-09-part";
    const [one, two] = ["001", "002"].map((part) => join(directory, `${name}-${part}.output.jsonl`));
    const writer = await createDiskFileStore(newDirectory()).create(one ?? "");
    await writer.write([Buffer.from("one")]);
    await put(newDirectory(), two ?? "", "two");
    await writer.commit();
    expect(await readFile(one ?? "", "utf8")).toBe("one");
  });

  it("clears up beside a long name what a killed writer of that file left", async () => {
    const directory = await existingDirectory();
    const target = join(directory, `${"long-".repeat(20)}.jsonl`);
    // A process that is killed removes nothing: as good as a writer that nobody ends.
    await createDiskFileStore(newDirectory()).create(target);
    await put(newDirectory(), target, "x");
    expect(await readdir(directory)).toEqual([basename(target)]);
  });

  it("replaces nothing at an operator's path where that is not wanted, except the very same bytes", async () => {
    const target = join(await existingDirectory(), "out.jsonl");
    const store = createDiskFileStore(newDirectory());
    const write = async (content: string) => {
      const writer = await store.create(target, { replace: false });
      await writer.write([Buffer.from(content)]);
      return writer.commit();
    };
    await write("ours\n");
    await write("ours\n");
    for (const other of ["ours too\n", "ouRs\n"]) {
      await expect(write(other)).rejects.toMatchObject({
        code: "output_exists",
        message: expect.stringContaining(`Cannot write ${target}: another file has appeared there`),
      });
    }
    expect(await readFile(target, "utf8")).toBe("ours\n");
    expect(await readdir(dirname(target))).toEqual(["out.jsonl"]);
  });

  it("writes a file whose name is as long as the system allows", async () => {
    const target = join(await existingDirectory(), "é".repeat(127));
    await put(newDirectory(), target, "x");
    expect(await readFile(target, "utf8")).toBe("x");
  });

  it("names an id but never a path of its own in messages", async () => {
    const directory = newDirectory();
    const error: NerifError = await createDiskFileStore(directory).open("file-a").then(unexpected, identity);
    expect(error.message).toBe("Cannot read file file-a: no such file or directory");
    const outside = await createDiskFileStore(directory)
      .open("/no/such/input.jsonl")
      .then(unexpected, identity);
    expect(outside).toMatchObject({
      code: "file_not_found",
      message: "Cannot read /no/such/input.jsonl: no such file or directory",
    });
  });

  it("refuses what is not a regular file without waiting for it", async () => {
    const directory = await existingDirectory();
    const pipe = join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    const store = createDiskFileStore(newDirectory());
    await expect(store.open(pipe)).rejects.toMatchObject({ code: "invalid_value" });
    await expect(store.open(directory)).rejects.toMatchObject({ code: "invalid_value" });
  });

  it("reports a file that shrank while it was streamed", async () => {
    const target = join(await existingDirectory(), "input");
    await writeFile(target, Buffer.alloc(3 * 1024 * 1024));
    const reader = await createDiskFileStore(newDirectory()).open(target);
    await truncate(target, 1024 * 1024 + 5);
    await expect(drain(reader.stream())).rejects.toMatchObject({ code: "data_damaged" });
    await reader.close();
  });
});

describe("disk file store on a failing disk", () => {
  it("goes on after a short write where it stopped", async () => {
    const directory = newDirectory();
    const store = createDiskFileStore(directory, {
      calls: {
        // Takes three bytes at a time, in the middle of chunks and across them.
        write: async (handle, chunks) =>
          (await handle.write(Buffer.concat(chunks).subarray(0, 3))).bytesWritten,
      },
    });
    const writer = await store.create("file-a");
    await writer.write(["ab", "cdefg", "", "h", "ijklmnop"].map((text) => Buffer.from(text)));
    await writer.commit();
    expect(await readFile(join(directory, "file-a"), "utf8")).toBe("abcdefghijklmnop");
  });

  it.each(["ENOSPC", "EDQUOT"])(
    "answers disk_full and removes the temporary when a write gets %s",
    async (errno) => {
      const directory = newDirectory();
      const fatal: NerifError[] = [];
      const store = createDiskFileStore(directory, {
        onFatal: (error) => fatal.push(error),
        calls: { write: () => Promise.reject(systemError(errno)) },
      });
      const writer = await store.create("file-a");
      await expect(writer.write([Buffer.from("x")])).rejects.toMatchObject({ code: "disk_full" });
      await expect(writer.write([Buffer.from("y")])).rejects.toMatchObject({ code: "disk_full" });
      await expect(writer.commit()).rejects.toMatchObject({ code: "disk_full" });
      expect(await readdir(directory)).toEqual([]);
      expect(fatal).toEqual([]);
    },
  );

  it.each(["ENOSPC", "EDQUOT"])(
    "answers disk_full and removes the temporary when its sync gets %s, as on NFS",
    async (errno) => {
      const directory = newDirectory();
      const fatal: NerifError[] = [];
      const store = createDiskFileStore(directory, {
        onFatal: (error) => fatal.push(error),
        calls: { sync: () => Promise.reject(systemError(errno)) },
      });
      const writer = await store.create("file-a");
      await writer.write([Buffer.from("x")]);
      await expect(writer.commit()).rejects.toMatchObject({ code: "disk_full" });
      expect(await readdir(directory)).toEqual([]);
      expect(fatal).toEqual([]);
    },
  );

  it("is fatal and shows nothing when a write gets EIO", async () => {
    const directory = newDirectory();
    const fatal: NerifError[] = [];
    const store = createDiskFileStore(directory, {
      onFatal: (error) => fatal.push(error),
      calls: { write: () => Promise.reject(systemError("EIO")) },
    });
    const writer = await store.create("file-a");
    await expect(writer.write([Buffer.from("x")])).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(fatal).toHaveLength(1);
    expect(existsSync(join(directory, "file-a"))).toBe(false);
  });

  it("is fatal, syncs no second time and shows nothing when a sync fails", async () => {
    const directory = newDirectory();
    const fatal: NerifError[] = [];
    let syncs = 0;
    const store = createDiskFileStore(directory, {
      onFatal: (error) => fatal.push(error),
      calls: {
        sync: () => {
          syncs += 1;
          return Promise.reject(systemError("EIO"));
        },
      },
    });
    const writer = await store.create("file-a");
    await writer.write([Buffer.from("x")]);
    await expect(writer.commit()).rejects.toMatchObject({ code: "storage_unavailable" });
    await expect(writer.commit()).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(syncs).toBe(1);
    expect(fatal).toHaveLength(1);
    expect(existsSync(join(directory, "file-a"))).toBe(false);
  });
});

function newDirectory(): string {
  directories += 1;
  return join(root, `store-${directories}`);
}

async function existingDirectory(): Promise<string> {
  const directory = newDirectory();
  await mkdir(directory, { recursive: true });
  return directory;
}

async function put(directory: string, key: string, content: string): Promise<void> {
  const writer = await createDiskFileStore(directory).create(key);
  await writer.write([Buffer.from(content)]);
  await writer.commit();
}

async function drain(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of chunks) expect(chunk.byteLength).toBeGreaterThan(0);
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

function unexpected(): never {
  throw new Error("expected a refusal");
}

function identity<T>(value: T): T {
  return value;
}
