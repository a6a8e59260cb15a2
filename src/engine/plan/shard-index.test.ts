import { fdatasync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createDiskJournal } from "../../journal/disk.ts";
import { type Journal, type JournalEntry, recordKinds } from "../../journal/journal.ts";
import { createMemoryJournal } from "../../journal/memory.ts";
import { indexShard } from "./shard-index.ts";

const batchId = "batch_0123456789abcdef0123456789abcdef";

test("what a dead holder wrote is durable before it counts", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nerif-shard-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const onFatal = () => {};
  // Its syncs never come to their end, as when the process is killed meanwhile.
  const dying = createDiskJournal({ directory, onFatal, calls: { sync() {} } });
  const writer = await dying.create({ batchId, shard: 0, epoch: 1 }, () => {});
  writer.append(entry(3));
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

  let syncs = 0;
  const journal = createDiskJournal({
    directory,
    onFatal,
    calls: {
      sync(fd, done) {
        syncs += 1;
        fdatasync(fd, done);
      },
    },
  });
  const index = await indexShard({ batchId, shard: 0, segments: [] }, { journal, below: 2 });
  expect([...index.results.keys()]).toEqual([3]);
  expect(syncs).toBe(1);
});

/** A record of `entry` with its header. */
const recordBytes = 16 + 10;

test.each([
  { place: "in the middle", gone: 0, damagedBytes: recordBytes },
  { place: "at the end", gone: 1, damagedBytes: 0 },
])("what is gone when it was made durable does not count: $place", async ({ gone, damagedBytes }) => {
  const directory = await mkdtemp(join(tmpdir(), "nerif-shard-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const onFatal = () => {};
  const dying = createDiskJournal({ directory, onFatal });
  const writer = await dying.create({ batchId, shard: 0, epoch: 1 }, () => {});
  for (const line of [0, 1]) writer.append(entry(line));
  const bytes = await writer.close();

  const path = join(directory, batchId, "0-1.seg");
  const journal = createDiskJournal({
    directory,
    onFatal,
    calls: {
      // As where a sync had failed, and the system drops from memory what it was to write: the disk never had it.
      sync(fd, done) {
        const file = readFileSync(path);
        writeFileSync(path, file.fill(0, bytes - (2 - gone) * recordBytes, bytes - (1 - gone) * recordBytes));
        fdatasync(fd, done);
      },
    },
  });
  const index = await indexShard({ batchId, shard: 0, segments: [] }, { journal, below: 2 });
  expect([...index.results.keys()]).toEqual([1 - gone]);
  expect(index.damagedBytes).toBe(damagedBytes);
  const again = await indexShard({ batchId, shard: 0, segments: index.segments }, { journal });
  expect({ results: [...again.results.keys()], damagedBytes: again.damagedBytes }).toEqual({
    results: [1 - gone],
    damagedBytes,
  });
});

test("what an older holder writes after a hand-over counts nowhere, even if it had written nothing before", async () => {
  const journal = createMemoryJournal();
  const late = await journal.create({ batchId, shard: 0, epoch: 1 }, () => {});
  const second = await indexShard({ batchId, shard: 0, segments: [] }, { journal, below: 3 });
  expect(second.segments).toEqual([
    { epoch: 1, bytes: 0 },
    { epoch: 2, bytes: 0 },
  ]);
  late.append(entry(0));
  await late.close();
  await write(journal, { epoch: 2, line: 1 });
  await write(journal, { epoch: 3, line: 2 });

  const third = await indexShard({ batchId, shard: 0, segments: second.segments }, { journal, below: 4 });
  expect([...third.results.keys()]).toEqual([2]);
  expect(third.segments.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
});

async function write(journal: Journal, { epoch, line }: { epoch: number; line: number }): Promise<void> {
  const writer = await journal.create({ batchId, shard: 0, epoch }, () => {});
  writer.append(entry(line));
  await writer.close();
}

function entry(line: number): JournalEntry {
  return { line, kind: recordKinds.output, attempts: 1, payload: [Buffer.from(`{"line":${line}}`)] };
}
