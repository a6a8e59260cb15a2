import { describe, expect, it } from "vitest";
import { describeJournalContract } from "../../test/contracts/journal.ts";
import { type JournalEntry, recordKinds } from "./journal.ts";
import { createMemoryJournal } from "./memory.ts";

const id = { batchId: "batch_0123456789abcdef0123456789abcdef", shard: 0, epoch: 1 };

describeJournalContract("memory", async () => createMemoryJournal());

describe("memory journal", () => {
  it("keeps entries back until it is flushed", async () => {
    const journal = createMemoryJournal({ autoFlush: false });
    const durable: number[] = [];
    const writer = await journal.create<JournalEntry>(id, (entries) =>
      durable.push(...entries.map((e) => e.line)),
    );
    writer.append(entry(4));
    await new Promise(setImmediate);
    expect(durable).toEqual([]);
    expect((await journal.scan(id, null, () => {})).records).toBe(0);
    journal.flush();
    expect(durable).toEqual([4]);
    expect((await journal.scan(id, null, () => {})).records).toBe(1);
  });

  it("forgets in a crash what is not durable, and writers of before report nothing any more", async () => {
    const journal = createMemoryJournal({ autoFlush: false });
    const durable: number[] = [];
    const writer = await journal.create<JournalEntry>(id, (entries) =>
      durable.push(...entries.map((e) => e.line)),
    );
    writer.append(entry(0));
    journal.flush();
    writer.append(entry(1));
    journal.crash();
    writer.append(entry(2));
    journal.flush();
    expect(durable).toEqual([0]);
    expect(journal.unflushedBytes).toBe(0);
    expect((await journal.scan(id, null, () => {})).records).toBe(1);
  });

  it("keeps entries while its disk is full and writes them when there is room", async () => {
    const journal = createMemoryJournal();
    const states: boolean[] = [];
    journal.onFlush(() => states.push(journal.stalled));
    const writer = await journal.create<JournalEntry>(id, () => {});
    journal.setFull(true);
    writer.append(entry(0));
    await new Promise(setImmediate);
    expect(journal.unflushedBytes).toBeGreaterThan(0);
    journal.setFull(false);
    await writer.close();
    expect(states.slice(0, 2)).toEqual([true, false]);
    expect(journal.unflushedBytes).toBe(0);
  });

  it("loses only the record that was damaged", async () => {
    const journal = createMemoryJournal();
    const writer = await journal.create<JournalEntry>(id, () => {});
    for (let line = 0; line < 3; line += 1) writer.append(entry(line));
    await writer.close();
    const found: number[] = [];
    const offsets: number[] = [];
    await journal.scan(id, null, (record) => offsets.push(record.offset));
    journal.damage(id, offsets[1] ?? 0);
    const report = await journal.scan(id, null, (record) => found.push(record.line));
    expect(found).toEqual([0, 2]);
    expect(report.damaged).toEqual([{ offset: (offsets[1] ?? 0) - 16, length: 16 + 10 }]);
  });
});

function entry(line: number): JournalEntry {
  return { line, kind: recordKinds.output, attempts: 1, payload: [Buffer.from("0123456789")] };
}
