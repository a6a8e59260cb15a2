import { fdatasync, mkdtempSync, rmSync, writevSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createDiskJournal } from "./disk.ts";
import { type JournalEntry, recordKinds } from "./journal.ts";

test("the entries of a turn cost one write and one sync, and are reported in one call", async () => {
  const directory = mkdtempSync(join(tmpdir(), "nerif-journal-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const calls = { write: 0, sync: 0 };
  const reports: number[] = [];
  let reported = Promise.withResolvers<void>();
  const journal = createDiskJournal({
    directory,
    onFatal: (error) => reported.reject(error),
    syncIntervalMs: 0,
    calls: {
      write(...given) {
        calls.write += 1;
        return writevSync(...given);
      },
      sync(...given) {
        calls.sync += 1;
        fdatasync(...given);
      },
    },
  });
  const id = { batchId: "batch_0123456789abcdef0123456789abcdef", shard: 0, epoch: 1 };
  const writer = await journal.create<JournalEntry>(id, (entries) => {
    reports.push(entries.length);
    reported.resolve();
  });

  for (let turn = 1; turn <= 10; turn++) {
    reported = Promise.withResolvers<void>();
    // What 64 calls in flight may bring at once, and a good deal more.
    for (let i = 0; i < 200; i++) {
      const payload = [Buffer.alloc(100, 0x20), Buffer.alloc(660, 0x20), Buffer.alloc(15, 0x20)];
      writer.append({ line: turn * 200 + i, kind: recordKinds.output, attempts: 1, payload });
    }
    await reported.promise;
    expect({ ...calls, reports: reports.length }).toEqual({ write: turn, sync: turn, reports: turn });
  }
  await writer.close();
  expect(reports).toEqual(Array.from({ length: 10 }, () => 200));
});
