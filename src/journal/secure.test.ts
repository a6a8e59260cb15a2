import {
  appendFileSync,
  fdatasync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writevSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { NerifError } from "../batch/errors.ts";
import { createDiskJournal } from "./disk.ts";
import { recordKinds, type SegmentId } from "./journal.ts";
import type { JournalCalls } from "./segment-writer.ts";

const id: SegmentId = { batchId: "batch_0123456789abcdef0123456789abcdef", shard: 0, epoch: 1 };

describe("a disk journal", () => {
  it("writes the sound records once more that it secures, and no other byte, before it syncs: an earlier sync may have failed", async () => {
    const directory = await journalOf(["kept", "damaged", "k".repeat(3 * 1024 * 1024)]);
    const path = join(directory, id.batchId, "0-1.seg");
    writeFileSync(path, readFileSync(path, "latin1").replace("damaged", "Damaged"), "latin1");
    appendFileSync(path, "torn");
    const before = readFileSync(path);
    const again = Buffer.alloc(before.byteLength);
    const steps: string[] = [];
    const securing = createDiskJournal({
      directory,
      onFatal() {},
      calls: {
        write(fd, buffers, position) {
          // Short writes are gone on with.
          const some = Buffer.concat(buffers).subarray(0, 500_000);
          some.copy(again, position);
          if (steps.at(-1) !== "write") steps.push("write");
          return writevSync(fd, [some], position);
        },
        sync(fd, done) {
          steps.push("sync");
          fdatasync(fd, done);
        },
      },
    });
    const left = await securing.secure(id);
    const sound = Buffer.from(before);
    for (const { offset, length } of left?.damaged ?? []) sound.fill(0, offset, offset + length);
    sound.fill(0, left?.soundBytes);
    expect(left).toMatchObject({ records: 2, damaged: [{}] });
    expect(steps).toEqual(["write", "sync"]);
    expect(again.equals(sound)).toBe(true);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it.each(["write", "sync"] as const)("stops for good when a %s fails while it secures", async (call) => {
    const directory = await journalOf(["kept"]);
    const fatal: NerifError[] = [];
    let tries = 0;
    const fails: JournalCalls = {
      write() {
        tries += 1;
        throw systemError("EIO");
      },
      sync(_fd, done) {
        tries += 1;
        done(systemError("EIO"));
      },
    };
    const calls = { [call]: fails[call] };
    const securing = createDiskJournal({ directory, onFatal: (error) => fatal.push(error), calls });
    for (let time = 0; time < 2; time += 1)
      await expect(securing.secure(id)).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(tries).toBe(1);
    expect(fatal).toHaveLength(1);
  });

  it.each(["write", "sync"] as const)("does not stop for good when a %s finds no room", async (call) => {
    const directory = await journalOf(["kept"]);
    const fatal: NerifError[] = [];
    let isFull = true;
    const full: JournalCalls = {
      write(fd, buffers, position) {
        if (isFull) throw systemError("ENOSPC");
        return writevSync(fd, buffers, position);
      },
      sync(fd, done) {
        if (isFull) done(systemError("ENOSPC"));
        else fdatasync(fd, done);
      },
    };
    const calls = { [call]: full[call] };
    const securing = createDiskJournal({ directory, onFatal: (error) => fatal.push(error), calls });
    await expect(securing.secure(id)).rejects.toMatchObject({ code: "disk_full" });
    isFull = false;
    expect(await securing.secure(id)).toMatchObject({ records: 1 });
    expect(fatal).toEqual([]);
  });
});

/** Of one segment with these payloads. */
async function journalOf(payloads: string[]): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "nerif-secure-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const writer = await createDiskJournal({ directory, onFatal() {} }).create(id, () => {});
  for (const [line, payload] of payloads.entries())
    writer.append({ line, kind: recordKinds.output, attempts: 1, payload: [Buffer.from(payload)] });
  await writer.close();
  return directory;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: refused`), { code });
}
