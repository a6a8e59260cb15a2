import { describe, expect, it } from "vitest";
import {
  type Journal,
  type JournalEntry,
  recordKinds,
  type ScannedRecord,
  type ScanReport,
  type SegmentId,
} from "../../src/journal/journal.ts";

const batchId = "batch_0123456789abcdef0123456789abcdef";
const otherBatchId = "batch_ffffffffffffffffffffffffffffffff";

/** What every journal must do. `makeJournal` returns an empty one that commits by itself. */
export function describeJournalContract(name: string, makeJournal: () => Promise<Journal>): void {
  describe(`${name}: journal contract`, () => {
    it("reports entries in the order of append, not before they are durable, and finds them again", async () => {
      const journal = await makeJournal();
      const id = segment(3, 1);
      const entries = Array.from({ length: 200 }, (_, index) => entry(199 - index, `{"n":${index}}`));
      const durable: JournalEntry[] = [];
      const writer = await journal.create<JournalEntry>(id, (reported) => durable.push(...reported));
      for (const each of entries) writer.append(each);
      expect(durable).toEqual([]);
      expect(journal.unflushedBytes).toBeGreaterThan(200 * 7);

      const size = await writer.close();
      expect(durable).toEqual(entries);
      expect(journal.unflushedBytes).toBe(0);
      expect(size).toBe(writer.bytes);

      const { records, report } = await scan(journal, id);
      expect(records.map(({ line, payload }) => [line, payload.toString()])).toEqual(
        entries.map(({ line }, index) => [line, `{"n":${index}}`]),
      );
      expect(report).toEqual({ soundBytes: size, records: 200, damaged: [] });
    });

    it("keeps line, kind and attempts of every entry", async () => {
      const journal = await makeJournal();
      const id = segment(0, 1);
      const entries: JournalEntry[] = [
        { line: 0, kind: recordKinds.output, attempts: 1, payload: [Buffer.from("a")] },
        { line: 0xffff_fffe, kind: recordKinds.error, attempts: 65_535, payload: [Buffer.from("b")] },
        { line: 7, kind: recordKinds.unfinished, attempts: 0, payload: [Buffer.from("c")] },
      ];
      await write(journal, id, entries);
      const { records } = await scan(journal, id);
      expect(records.map(({ line, kind, attempts }) => ({ line, kind, attempts }))).toEqual(
        entries.map(({ line, kind, attempts }) => ({ line, kind, attempts })),
      );
    });

    it("joins the pieces of a payload, small, large and empty", async () => {
      const journal = await makeJournal();
      const id = segment(0, 1);
      const body = Buffer.alloc(3 * 1024 * 1024 + 5, "body ");
      const entries = [
        { ...entry(0, ""), payload: [Buffer.from("{"), Buffer.alloc(0), Buffer.from("}")] },
        { ...entry(1, ""), payload: [Buffer.from("<"), body, Buffer.from(">")] },
        { ...entry(2, ""), payload: Array.from({ length: 2_500 }, (_, index) => Buffer.alloc(40, index)) },
        entry(3, "last"),
      ];
      const payloads = entries.map(({ payload }) => Buffer.concat(payload));
      const size = await write(journal, id, entries);
      const { records, report } = await scan(journal, id);
      expect(report).toEqual({ soundBytes: size, records: 4, damaged: [] });
      for (const [index, payload] of payloads.entries()) {
        expect(records[index]?.payload.equals(payload)).toBe(true);
      }
    });

    it("reads a payload by the position that a scan found", async () => {
      const journal = await makeJournal();
      const id = segment(0, 1);
      await write(journal, id, [entry(0, "zero"), entry(1, "one"), entry(2, "two")]);
      const { records, report } = await scan(journal, id);
      const reader = await journal.open(id);
      for (const { offset, payload } of records.reverse()) {
        expect((await reader.read(offset, payload.byteLength)).toString()).toBe(payload.toString());
      }
      await reader.sync();
      await expect(reader.read(report.soundBytes - 1, 2)).rejects.toMatchObject({ code: "data_damaged" });
      await reader.close();
      await expect(journal.open(segment(0, 2))).rejects.toMatchObject({ code: "data_damaged" });
    });

    it("leaves a segment as it is when it secures it", async () => {
      const journal = await makeJournal();
      const id = segment(0, 1);
      await write(journal, id, [entry(0, "zero"), entry(1, "one")]);
      const before = await scan(journal, id);
      expect([before.report, null]).toContainEqual(await journal.secure(id));
      expect(await scan(journal, id)).toEqual(before);
    });

    it("keeps segments apart that are written at the same time", async () => {
      const journal = await makeJournal();
      const ids = Array.from({ length: 8 }, (_, shard) => segment(shard, 1));
      const durable = ids.map(() => 0);
      const writers = await Promise.all(
        ids.map((id, index) =>
          journal.create(id, (entries) => {
            durable[index] = (durable[index] ?? 0) + entries.length;
          }),
        ),
      );
      for (let round = 0; round < 20; round += 1) {
        for (const [index, writer] of writers.entries()) writer.append(entry(round, `${index}/${round}`));
        if (round % 5 === 0) await new Promise(setImmediate);
      }
      await Promise.all(writers.map((writer) => writer.close()));
      expect(durable).toEqual(ids.map(() => 20));
      for (const [index, id] of ids.entries()) {
        const { records } = await scan(journal, id);
        expect(records.map((record) => record.payload.toString())).toEqual(
          Array.from({ length: 20 }, (_, round) => `${index}/${round}`),
        );
      }
    });

    it("goes on in a segment after its first entries became durable", async () => {
      const journal = await makeJournal();
      const id = segment(0, 1);
      let wake = () => {};
      const writer = await journal.create<JournalEntry>(id, () => wake());
      for (let line = 0; line < 10; line += 1) {
        const durable = new Promise<void>((resolve) => {
          wake = resolve;
        });
        writer.append(entry(line, `line ${line}`));
        await durable;
        expect(journal.unflushedBytes).toBe(0);
        expect((await scan(journal, id)).report.records).toBe(line + 1);
      }
      await writer.close();
    });

    it("may be closed by the very report that its last entry is durable", async () => {
      const journal = await makeJournal();
      const id = segment(0, 1);
      const closing = Promise.withResolvers<number>();
      const writer = await journal.create<JournalEntry>(id, () => {
        writer.close().then(closing.resolve, closing.reject);
      });
      writer.append(entry(0, "x"));
      expect(await closing.promise).toBe(writer.bytes);
      expect((await scan(journal, id)).report.records).toBe(1);
    });

    it("refuses a second segment with the same epoch, also after it was closed", async () => {
      const journal = await makeJournal();
      const id = segment(4, 9);
      const writer = await journal.create<JournalEntry>(id, () => {});
      await expect(journal.create(id, () => {})).rejects.toMatchObject({ code: "data_damaged" });
      writer.append(entry(0, "kept"));
      await writer.close();
      await expect(journal.create(id, () => {})).rejects.toMatchObject({ code: "data_damaged" });
      expect((await scan(journal, id)).records.map((record) => record.payload.toString())).toEqual(["kept"]);
    });

    it("closes a segment without entries as a sound one, and any segment twice with one answer", async () => {
      const journal = await makeJournal();
      const writer = await journal.create<JournalEntry>(segment(0, 1), () => {});
      expect(journal.unflushedBytes).toBe(0);
      const size = await writer.close();
      expect(await writer.close()).toBe(size);
      expect(size).toBe(writer.bytes);
      const { report } = await scan(journal, segment(0, 1), size);
      expect(report).toEqual({ soundBytes: size, records: 0, damaged: [] });
      expect(() => writer.append(entry(0, "late"))).toThrow(/closed/);
    });

    it("refuses an entry without payload", async () => {
      const journal = await makeJournal();
      const writer = await journal.create<JournalEntry>(segment(0, 1), () => {});
      expect(() => writer.append(entry(5, ""))).toThrow(/line 5/);
      await writer.close();
    });

    it("scans a segment that does not exist as an empty one", async () => {
      const journal = await makeJournal();
      const { records, report } = await scan(journal, segment(0, 1));
      expect(records).toEqual([]);
      expect(report).toEqual({ soundBytes: 0, records: 0, damaged: [] });
    });

    it("leaves out what stands behind the end of a scan", async () => {
      const journal = await makeJournal();
      const id = segment(0, 1);
      const size = await write(journal, id, [entry(0, "first"), entry(1, "second"), entry(2, "third")]);
      const last = 16 + "third".length;
      const { records, report } = await scan(journal, id, size - last);
      expect(records.map((record) => record.payload.toString())).toEqual(["first", "second"]);
      expect(report).toEqual({ soundBytes: size - last, records: 2, damaged: [] });
    });

    it("reports as damage what was sound up to the end of a scan and is not there any more", async () => {
      const journal = await makeJournal();
      const id = segment(0, 1);
      const size = await write(journal, id, [entry(0, "first")]);
      const { records, report } = await scan(journal, id, size + 30);
      expect(records).toHaveLength(1);
      expect(report.damaged).toEqual([{ offset: size, length: 30 }]);
      const missing = await scan(journal, segment(0, 2), 100);
      expect(missing.report).toEqual({ soundBytes: 0, records: 0, damaged: [{ offset: 0, length: 100 }] });
    });

    it("lists the epochs of a shard in ascending order, and batches until they are removed", async () => {
      const journal = await makeJournal();
      expect(await journal.batches()).toEqual([]);
      expect(await journal.epochs(batchId, 1)).toEqual([]);
      for (const epoch of [2, 10, 1]) await write(journal, segment(1, epoch), [entry(0, "x")]);
      await write(journal, segment(11, 5), [entry(0, "x")]);
      await write(journal, { batchId: otherBatchId, shard: 1, epoch: 7 }, [entry(0, "y")]);
      expect(await journal.epochs(batchId, 1)).toEqual([1, 2, 10]);
      expect(await journal.epochs(batchId, 11)).toEqual([5]);
      expect(await journal.epochs(batchId, 0)).toEqual([]);
      expect((await journal.batches()).sort()).toEqual([batchId, otherBatchId]);

      await journal.remove(batchId);
      await journal.remove(batchId);
      expect(await journal.batches()).toEqual([otherBatchId]);
      expect(await journal.epochs(batchId, 1)).toEqual([]);
      expect((await scan(journal, segment(1, 1))).report.records).toBe(0);
      await write(journal, segment(1, 1), [entry(0, "begun anew")]);
      expect(await journal.epochs(batchId, 1)).toEqual([1]);
    });

    it("tells listeners of flushes until they are taken off", async () => {
      const journal = await makeJournal();
      let heard = 0;
      const off = journal.onFlush(() => {
        heard += 1;
      });
      await write(journal, segment(0, 1), [entry(0, "x")]);
      expect(heard).toBeGreaterThan(0);
      off();
      const before = heard;
      await write(journal, segment(0, 2), [entry(0, "x")]);
      expect(heard).toBe(before);
      expect(journal.stalled).toBe(false);
    });

    it.each([
      { batchId: "../../etc", shard: 0, epoch: 1 },
      { batchId: `${batchId}/..`, shard: 0, epoch: 1 },
      { batchId, shard: -1, epoch: 1 },
      { batchId, shard: 0.5, epoch: 1 },
      { batchId, shard: 0, epoch: 2 ** 32 },
    ])("refuses $batchId $shard $epoch as a segment's id", async (id) => {
      const journal = await makeJournal();
      const refusal = { code: "invalid_id" };
      await expect(journal.create(id, () => {})).rejects.toMatchObject(refusal);
      await expect(journal.scan(id, null, () => {})).rejects.toMatchObject(refusal);
      await expect(journal.open(id)).rejects.toMatchObject(refusal);
      if (id.batchId === batchId) return;
      await expect(journal.epochs(id.batchId, 0)).rejects.toMatchObject(refusal);
      await expect(journal.remove(id.batchId)).rejects.toMatchObject(refusal);
    });
  });
}

function segment(shard: number, epoch: number): SegmentId {
  return { batchId, shard, epoch };
}

function entry(line: number, payload: string): JournalEntry {
  return { line, kind: recordKinds.output, attempts: 1, payload: [Buffer.from(payload)] };
}

async function write(journal: Journal, id: SegmentId, entries: JournalEntry[]): Promise<number> {
  const writer = await journal.create<JournalEntry>(id, () => {});
  for (const each of entries) writer.append(each);
  return writer.close();
}

async function scan(
  journal: Journal,
  id: SegmentId,
  end: number | null = null,
): Promise<{ records: ScannedRecord[]; report: ScanReport }> {
  const records: ScannedRecord[] = [];
  const report = await journal.scan(id, end, (record) =>
    records.push({ ...record, payload: Buffer.from(record.payload) }),
  );
  return { records, report };
}
