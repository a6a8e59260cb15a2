import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import { createDiskFileStore } from "../../src/files/disk.ts";
import { createDiskJournal } from "../../src/journal/disk.ts";
import { type JournalEntry, recordKinds } from "../../src/journal/journal.ts";

const mounted: string[] = [];

afterAll(async () => {
  for (const directory of mounted) {
    system("umount", directory);
    await rm(directory, { recursive: true, force: true });
  }
});

describe("a full disk", () => {
  it("pauses the journal without losing an entry, and it goes on when there is room", async (context) => {
    const disk = await mountSmallDisk(context);
    const filler = join(disk, "filler");
    writeFileSync(filler, Buffer.alloc(700 * 1024));
    const journal = createDiskJournal({
      directory: join(disk, "journal"),
      onFatal(error) {
        throw error;
      },
    });
    const id = { batchId: "batch_0123456789abcdef0123456789abcdef", shard: 0, epoch: 1 };
    const durable: number[] = [];
    const writer = await journal.create<JournalEntry>(id, (entries) =>
      durable.push(...entries.map((e) => e.line)),
    );
    const stalled = new Promise<void>((resolve) => {
      journal.onFlush(() => {
        if (journal.stalled) resolve();
      });
    });
    for (let line = 0; line < 500; line += 1) {
      const payload = [Buffer.alloc(1_000, 97 + (line % 26))];
      writer.append({ line, kind: recordKinds.output, attempts: 1, payload });
    }
    await stalled;
    expect(durable).toEqual([]);
    rmSync(filler);
    const size = await writer.close();
    expect(durable).toHaveLength(500);

    const found: number[] = [];
    const report = await journal.scan(id, null, ({ line, payload }) => {
      found.push(line);
      expect(payload.equals(Buffer.alloc(1_000, 97 + (line % 26)))).toBe(true);
    });
    expect(found).toEqual(durable);
    expect(report).toEqual({ soundBytes: size, records: 500, damaged: [] });
  });

  it("refuses a file that does not fit with disk_full, gives its room back, and takes one that fits", async (context) => {
    const disk = await mountSmallDisk(context);
    const store = createDiskFileStore(disk);
    const large = await store.create("large");
    const tooMuch = Array.from({ length: 40 }, () => Buffer.alloc(64 * 1024));
    await expect(large.write(tooMuch)).rejects.toMatchObject({ code: "disk_full" });
    await expect(large.commit()).rejects.toMatchObject({ code: "disk_full" });
    expect(await readdir(disk)).toEqual([]);

    const small = await store.create("small");
    await small.write(tooMuch.slice(0, 12));
    expect((await small.commit()).bytes).toBe(12 * 64 * 1024);
  });
});

/** One mebibyte. */
async function mountSmallDisk(context: TestContext): Promise<string> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    context.skip("mounting a small disk needs Linux and root");
  }
  const directory = await mkdtemp(join(tmpdir(), "nerif-full-"));
  try {
    system("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory);
  } catch {
    await rm(directory, { recursive: true });
    context.skip("this system does not let us mount a small disk");
  }
  mounted.push(directory);
  return directory;
}

function system(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: "pipe" });
}
