import { fdatasync, writevSync } from "node:fs";
import { mkdtemp, open, readFile, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { describeJournalContract } from "../../test/contracts/journal.ts";
import type { NerifError } from "../batch/errors.ts";
import { createDiskJournal } from "./disk.ts";
import { type Journal, type JournalEntry, recordKinds, type SegmentId } from "./journal.ts";
import type { JournalCalls } from "./segment-writer.ts";

const root = await mkdtemp(join(tmpdir(), "nerif-journal-"));
const id: SegmentId = { batchId: "batch_0123456789abcdef0123456789abcdef", shard: 0, epoch: 1 };
let directories = 0;

afterAll(() => rm(root, { recursive: true, force: true }));

describeJournalContract("disk", async () => journalIn(newDirectory()));

describe("disk journal", () => {
  it("keeps directories and segments for the owner alone", async () => {
    const directory = newDirectory();
    await write(journalIn(directory), id, ["x"]);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, id.batchId))).mode & 0o777).toBe(0o700);
    expect((await stat(pathIn(directory))).mode & 0o777).toBe(0o600);
  });

  it("overlooks entries of its directory that are not its own", async () => {
    const directory = newDirectory();
    const journal = journalIn(directory);
    await write(journal, id, ["x"]);
    for (const name of ["0-1.seg.bak", "0-01.seg", "x-1.seg", "lost+found"]) {
      await (await open(join(directory, id.batchId, name), "w")).close();
      await (await open(join(directory, name), "w")).close();
    }
    expect(await journal.epochs(id.batchId, 0)).toEqual([1]);
    expect(await journal.batches()).toEqual([id.batchId]);
  });

  it("cuts a torn tail off at every byte of the last record, and never touches the file", async () => {
    const directory = newDirectory();
    const journal = journalIn(directory);
    const payloads = ["first", "second", "third"];
    const size = await write(journal, id, payloads);
    const lastAt = size - 16 - "third".length;
    for (let length = size - 1; length >= lastAt; length -= 1) {
      await truncate(pathIn(directory), length);
      const { found, report } = await scan(journal);
      expect(found).toEqual(["first", "second"]);
      expect(report).toEqual({ soundBytes: lastAt, records: 2, damaged: [] });
      expect((await stat(pathIn(directory))).size).toBe(length);
    }
  });

  it("finds records on both sides of flipped bits and never a wrong payload", async () => {
    const directory = newDirectory();
    const journal = journalIn(directory);
    const payloads = Array.from(
      { length: 60 },
      (_, line) => `{"line":${line},"text":"${"x".repeat(line * 11)}"}`,
    );
    const size = await write(journal, id, payloads);
    const sound = await readFile(pathIn(directory));
    const file = await open(pathIn(directory), "r+");
    await fc.assert(
      fc.asyncProperty(fc.nat(size - 1), fc.nat(7), async (at, bit) => {
        await file.write(Buffer.of((sound[at] ?? 0) ^ (1 << bit)), 0, 1, at);
        const { found, report } = await scan(journal, size);
        expect(found).toEqual(payloads.filter((payload) => found.includes(payload)));
        expect(found.length).toBeGreaterThanOrEqual(payloads.length - 1);
        expect(report.damaged).toHaveLength(1);
        const [damage] = report.damaged;
        expect(at >= (damage?.offset ?? size) && at < (damage?.offset ?? 0) + (damage?.length ?? 0)).toBe(
          true,
        );
        await file.write(sound, at, 1, at);
      }),
      { numRuns: 200 },
    );
    await file.close();
  });

  it("scans a record larger than its chunks, and the ones around it", async () => {
    const journal = journalIn(newDirectory());
    const large = "y".repeat(5 * 1024 * 1024);
    await write(journal, id, ["before", large, "after"]);
    const { found } = await scan(journal);
    expect(found.map((payload) => payload.length)).toEqual([6, large.length, 5]);
  });
});

describe("disk journal on a failing disk", () => {
  it("goes on after short writes where they stopped", async () => {
    const directory = newDirectory();
    const journal = journalIn(directory, {
      // Takes seven bytes at a time, across the borders of headers, pieces and records.
      write: (fd, buffers, position) => writevSync(fd, [Buffer.concat(buffers).subarray(0, 7)], position),
    });
    const payloads = ["one", "t".repeat(20_000), "three"];
    await write(journal, id, payloads);
    expect((await scan(journalIn(directory))).found).toEqual(payloads);
  });

  it.each(["ENOSPC", "EDQUOT"])(
    "waits on %s in the middle of a write and goes on when there is room",
    async (errno) => {
      const directory = newDirectory();
      const fatal: NerifError[] = [];
      let room = 100;
      const journal = createDiskJournal({
        directory,
        onFatal: (error) => fatal.push(error),
        calls: {
          write(fd, buffers, position) {
            const fits = Buffer.concat(buffers).subarray(0, Math.max(0, room - position));
            if (fits.byteLength === 0) throw systemError(errno);
            return writevSync(fd, [fits], position);
          },
        },
      });
      const stalls: boolean[] = [];
      const stalled = new Promise<void>((resolve) => {
        journal.onFlush(() => {
          if (stalls.at(-1) !== journal.stalled) stalls.push(journal.stalled);
          if (journal.stalled) resolve();
        });
      });
      const durable: number[] = [];
      const writer = await journal.create<JournalEntry>(id, (entries) =>
        durable.push(...entries.map((e) => e.line)),
      );
      writer.append(entry(0, "a".repeat(50)));
      await stalled;
      writer.append(entry(1, "b".repeat(50)));
      expect(durable).toEqual([]);
      expect(journal.unflushedBytes).toBe(2 * (16 + 50));
      room = 1_000_000;
      const size = await writer.close();
      expect(stalls).toEqual([true, false]);
      expect(durable).toEqual([0, 1]);
      expect(journal.unflushedBytes).toBe(0);
      expect(fatal).toEqual([]);
      const { found, report } = await scan(journalIn(directory));
      expect(found).toEqual(["a".repeat(50), "b".repeat(50)]);
      expect(report).toEqual({ soundBytes: size, records: 2, damaged: [] });
    },
  );

  it("is fatal, syncs no second time and reports nothing when a sync fails", async () => {
    let syncs = 0;
    const { journal, fatal, durable, writer } = await failing({
      sync(_fd, done) {
        syncs += 1;
        setImmediate(done, systemError("EIO"));
      },
    });
    writer.append(entry(0, "x"));
    writer.append(entry(1, "x"));
    const refusal = { code: "storage_unavailable" };
    await expect(writer.close()).rejects.toMatchObject(refusal);
    await expect(journal.create({ ...id, shard: 7 }, () => {})).rejects.toMatchObject(refusal);
    expect(fatal).toHaveLength(1);
    expect(syncs).toBe(1);
    expect(durable).toEqual([]);
    expect(journal.unflushedBytes).toBeGreaterThan(0);
  });

  it("is fatal for every segment when one write fails", async () => {
    let writes = 0;
    const { journal, fatal, durable, writer } = await failing({
      write() {
        writes += 1;
        throw systemError("EIO");
      },
    });
    const other = await journal.create<JournalEntry>({ ...id, shard: 1 }, () => {});
    writer.append(entry(0, "x"));
    other.append(entry(0, "x"));
    const refusal = { code: "storage_unavailable" };
    await Promise.all([
      expect(writer.close()).rejects.toMatchObject(refusal),
      expect(other.close()).rejects.toMatchObject(refusal),
    ]);
    expect(fatal).toHaveLength(1);
    expect(writes).toBe(1);
    expect(durable).toEqual([]);
  });

  it("counts an entry only after a sync that began behind its write", async () => {
    const pending: (() => void)[] = [];
    const { durable, writer } = await failing({
      sync: (fd, done) => pending.push(() => fdatasync(fd, done)),
    });
    writer.append(entry(0, "x"));
    await until(() => pending.length === 1);
    // Written while the first sync is under way: that sync says nothing about it.
    writer.append(entry(1, "x"));
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    expect(pending).toHaveLength(1);
    pending.shift()?.();
    await until(() => durable.length > 0);
    expect(durable).toEqual([0]);
    await until(() => pending.length === 1);
    pending.shift()?.();
    await until(() => durable.length > 1);
    expect(durable).toEqual([0, 1]);
    await writer.close();
  });
});

describe("disk journal under load", () => {
  it("runs one sync per segment and three in all at a time, and gets round to every segment", async () => {
    const running = new Map<number, number>();
    let most = 0;
    let mostOfOne = 0;
    const journal = createDiskJournal({
      directory: newDirectory(),
      syncIntervalMs: 0,
      onFatal(error) {
        throw error;
      },
      calls: {
        sync(fd, done) {
          running.set(fd, (running.get(fd) ?? 0) + 1);
          mostOfOne = Math.max(mostOfOne, running.get(fd) ?? 0);
          most = Math.max(
            most,
            [...running.values()].reduce((sum, count) => sum + count),
          );
          fdatasync(fd, (error) => {
            running.set(fd, (running.get(fd) ?? 0) - 1);
            done(error);
          });
        },
      },
    });
    const durable = Array.from({ length: 8 }, (): number[] => []);
    const writers = await Promise.all(
      durable.map((lines, shard) =>
        journal.create<JournalEntry>({ ...id, shard }, (entries) =>
          lines.push(...entries.map((e) => e.line)),
        ),
      ),
    );
    for (let line = 0; line < 200; line += 1) {
      for (const writer of writers) writer.append(entry(line, "x"));
      await new Promise(setImmediate);
    }
    await Promise.all(writers.map((writer) => writer.close()));
    for (const lines of durable) expect(lines).toEqual(Array.from({ length: 200 }, (_, line) => line));
    expect(mostOfOne).toBe(1);
    expect(most).toBe(3);
  });

  it("a reader can make durable what others wrote, and it is fatal when it cannot", async () => {
    const directory = newDirectory();
    await write(journalIn(directory), id, ["kept"]);
    const fatal: NerifError[] = [];
    const synced: number[] = [];
    const reading = createDiskJournal({
      directory,
      onFatal: (error) => fatal.push(error),
      calls: {
        sync(fd, done) {
          synced.push(fd);
          done(synced.length === 1 ? null : systemError("EIO"));
        },
      },
    });
    const reader = await reading.open(id);
    await reader.sync();
    expect(synced).toHaveLength(1);
    expect(fatal).toEqual([]);
    const refusal = { code: "storage_unavailable" };
    await expect(reader.sync()).rejects.toMatchObject(refusal);
    expect(fatal).toMatchObject([refusal]);
    await expect(reading.create({ ...id, epoch: 2 }, () => {})).rejects.toMatchObject(refusal);
    await reader.close();
  });

  it("a reader tries no sync a second time, which would succeed without having written anything", async () => {
    const directory = newDirectory();
    await write(journalIn(directory), id, ["written"]);
    let syncs = 0;
    const reading = createDiskJournal({
      directory,
      onFatal() {},
      calls: {
        sync(_fd, done) {
          syncs += 1;
          done(syncs === 1 ? systemError("EIO") : null);
        },
      },
    });
    for (let time = 0; time < 2; time += 1) {
      const reader = await reading.open(id);
      await expect(reader.sync()).rejects.toMatchObject({ code: "storage_unavailable" });
      await reader.close();
    }
    expect(syncs).toBe(1);
  });
});

async function failing(calls: Partial<JournalCalls>) {
  const fatal: NerifError[] = [];
  const durable: number[] = [];
  const journal = createDiskJournal({
    directory: newDirectory(),
    onFatal: (error) => fatal.push(error),
    syncIntervalMs: 0,
    calls,
  });
  const writer = await journal.create<JournalEntry>(id, (entries) =>
    durable.push(...entries.map((e) => e.line)),
  );
  return { journal, fatal, durable, writer };
}

function journalIn(directory: string, calls: Partial<JournalCalls> = {}): Journal {
  return createDiskJournal({
    directory,
    calls,
    onFatal(error) {
      throw error;
    },
  });
}

function newDirectory(): string {
  directories += 1;
  return join(root, `journal-${directories}`);
}

function pathIn(directory: string): string {
  return join(directory, id.batchId, "0-1.seg");
}

function entry(line: number, payload: string): JournalEntry {
  return { line, kind: recordKinds.output, attempts: 1, payload: [Buffer.from(payload)] };
}

async function write(journal: Journal, segment: SegmentId, payloads: string[]): Promise<number> {
  const writer = await journal.create<JournalEntry>(segment, () => {});
  for (const [line, payload] of payloads.entries()) writer.append(entry(line, payload));
  return writer.close();
}

async function scan(journal: Journal, end: number | null = null) {
  const found: string[] = [];
  const report = await journal.scan(id, end, (record) => found.push(record.payload.toString()));
  return { found, report };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}
