import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type JournalEntry,
  recordKinds,
  type ScannedRecord,
  type ScanReport,
  type SegmentId,
} from "./journal.ts";
import { encodeHeader, headerBytes, recordHeaderBytes } from "./record.ts";
import { createRecordParser } from "./record-parser.ts";
import { createStage } from "./stage.ts";

const id: SegmentId = { batchId: "batch_0123456789abcdef0123456789abcdef", shard: 2, epoch: 3 };

describe("createRecordParser()", () => {
  it("finds the same records however the bytes are cut into chunks", () => {
    const { bytes, payloads } = segmentOf([1, 20, 300, 17_000, 5, 70_000, 40]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        const { records, report } = parse(bytes, { sizes });
        expect(records.map(({ payload }) => payload.toString())).toEqual(payloads);
        expect(report).toEqual({ soundBytes: bytes.byteLength, records: 7, damaged: [] });
      }),
      { numRuns: 50 },
    );
    for (const size of [1, 15, 16, 17, 63, 64, 65]) {
      expect(parse(bytes.subarray(0, 500), { sizes: [size] }).report.records).toBe(3);
    }
  });

  it("leaves a torn tail out silently wherever it is torn", () => {
    const { bytes, offsets, payloads } = segmentOf([30, 40, 50]);
    for (let length = 0; length < bytes.byteLength; length += 1) {
      const { records, report } = parse(bytes.subarray(0, length));
      const whole = offsets.filter(
        (offset, index) => offset + (payloads[index]?.length ?? 0) <= length,
      ).length;
      expect(records.map(({ payload }) => payload.toString())).toEqual(payloads.slice(0, whole));
      expect(report.damaged).toEqual([]);
      const end = whole === 0 ? headerBytes : (offsets[whole - 1] ?? 0) + (payloads[whole - 1]?.length ?? 0);
      expect(report.soundBytes).toBe(length < headerBytes ? 0 : end);
    }
  });

  it("loses only records that were hit and never serves a wrong payload when bits flip anywhere", () => {
    const sizes = [40, 900, 3, 120, 2_000, 17_000, 64];
    const { bytes, offsets, payloads } = segmentOf(sizes);
    const flip = fc.record({ at: fc.nat(bytes.byteLength - 1), bit: fc.nat(7) });
    fc.assert(
      fc.property(fc.uniqueArray(flip, { minLength: 1, maxLength: 4, selector: ({ at }) => at }), (flips) => {
        const hurt = Buffer.from(bytes);
        for (const { at, bit } of flips) hurt[at] = (hurt[at] ?? 0) ^ (1 << bit);
        const { records, report } = parse(hurt, { sizes: [1_000], end: hurt.byteLength });
        const hit = offsets.map((offset, index) =>
          flips.some(({ at }) => at >= offset - recordHeaderBytes && at < offset + (sizes[index] ?? 0)),
        );
        expect(records.map(({ offset, payload }) => [offset, payload.toString()])).toEqual(
          offsets.flatMap((offset, index) => (hit[index] ? [] : [[offset, payloads[index]]])),
        );
        // The report names every flipped byte.
        for (const { at } of flips) {
          expect(report.damaged.some(({ offset, length }) => at >= offset && at < offset + length)).toBe(
            true,
          );
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("refuses the records of a segment that is another one by its header", () => {
    const { bytes } = segmentOf([10, 20]);
    const { records, report } = parse(bytes, { id: { ...id, epoch: 4 } });
    expect(records).toEqual([]);
    expect(report).toEqual({
      soundBytes: 0,
      records: 0,
      damaged: [{ offset: 0, length: bytes.byteLength }],
    });
  });

  it("goes on behind a damaged header, and says so", () => {
    const { bytes, payloads } = segmentOf([10, 20]);
    bytes.fill(0xee, 0, headerBytes);
    const { records, report } = parse(bytes);
    expect(records.map(({ payload }) => payload.toString())).toEqual(payloads);
    expect(report.damaged).toEqual([{ offset: 0, length: headerBytes }]);
  });

  it("refuses a newer format by name, but not before its checksum is right", async () => {
    const { crc32 } = await import("node:zlib");
    const { bytes } = segmentOf([10]);
    bytes.writeUInt32LE(2, 8);
    expect(parse(bytes).report.damaged).toEqual([{ offset: 0, length: headerBytes }]);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
    expect(() => parse(bytes)).toThrow(expect.objectContaining({ code: "data_too_new" }));
  });

  it("does not wait for the bytes of a length that is impossible", () => {
    const { bytes, offsets } = segmentOf([10, 20]);
    const lengthAt = (offsets[0] ?? 0) - recordHeaderBytes;
    for (const length of [0, 0x0800_0000, 0xffff_ffff, bytes.byteLength]) {
      bytes.writeUInt32LE(length, lengthAt);
      const { records, report } = parse(bytes, { sizes: [7] });
      expect(records).toHaveLength(1);
      expect(report.damaged).toEqual([{ offset: lengthAt, length: recordHeaderBytes + 10 }]);
    }
  });

  it("passes over a stretch that the file system filled with zeros", () => {
    const { bytes, offsets } = segmentOf([10, 20]);
    const at = (offsets[1] ?? 0) - recordHeaderBytes;
    const holed = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(100_000), bytes.subarray(at)]);
    const { records, report } = parse(holed);
    expect(records).toHaveLength(2);
    expect(report.damaged).toEqual([{ offset: at, length: 100_000 }]);
    const tail = parse(Buffer.concat([bytes, Buffer.alloc(5_000)]));
    expect(tail.report).toEqual({ soundBytes: bytes.byteLength, records: 2, damaged: [] });
  });
});

function segmentOf(sizes: number[]): { bytes: Buffer; payloads: string[]; offsets: number[] } {
  const payloads = sizes.map((size, index) => `${index}${'{"a":"\t\\u0000"}'.repeat(size)}`.slice(0, size));
  const parts: Uint8Array[] = [encodeHeader(id)];
  const offsets: number[] = [];
  let at = headerBytes;
  for (const [line, payload] of payloads.entries()) {
    const entry: JournalEntry = {
      line,
      kind: recordKinds.error,
      attempts: 3,
      payload: [Buffer.from(payload)],
    };
    const stage = createStage();
    stage.add(entry);
    parts.push(...stage.take());
    offsets.push(at + recordHeaderBytes);
    at += recordHeaderBytes + payload.length;
  }
  return { bytes: Buffer.concat(parts), payloads, offsets };
}

interface ParseOptions {
  id?: SegmentId;
  /** Chunk sizes, used over and over. */
  sizes?: number[];
  end?: number | null;
}

function parse(bytes: Buffer, options: ParseOptions = {}): { records: ScannedRecord[]; report: ScanReport } {
  const { sizes = [1_000_000], end = null } = options;
  const records: ScannedRecord[] = [];
  const parser = createRecordParser({
    id: options.id ?? id,
    available: bytes.byteLength,
    end,
    onRecord: (record) => records.push(record),
  });
  for (let at = 0, round = 0; at < bytes.byteLength; round += 1) {
    const size = sizes[round % sizes.length] ?? 1;
    parser.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return { records, report: parser.finish() };
}
