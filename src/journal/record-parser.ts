import type { ScannedRecord, ScanReport, SegmentId } from "./journal.ts";
import {
  checkHeader,
  headerBytes,
  isSoundRecord,
  plausibleLength,
  readRecord,
  recordHeaderBytes,
} from "./record.ts";

export interface RecordParserOptions {
  id: SegmentId;
  /** Bytes of the segment that are there to be read. */
  available: number;
  /** Up to where the segment is known to have been sound; null when nothing is known about its tail. */
  end: number | null;
  onRecord: (record: ScannedRecord) => void;
}

export interface RecordParser {
  /** Takes the next bytes. They may be reused when it returns: payloads are views of them, as long as `onRecord` runs. */
  push(chunk: Buffer): void;
  /** Call it when all bytes were pushed. */
  finish(): ScanReport;
}

/**
 * Finds the sound records of a segment whose bytes come in chunks. After a record that is not sound it looks at
 * every following position for one that is. Memory stays at one chunk or one record, whichever is larger.
 */
export function createRecordParser({ id, available, end, onRecord }: RecordParserOptions): RecordParser {
  const limit = Math.min(available, end ?? available);
  let window: Buffer = Buffer.alloc(0);
  /** Position of the window in the segment. */
  let base = 0;
  const held: Buffer[] = [];
  let heldBytes = 0;
  /** Bytes that the window must have before parsing can go on. */
  let needed = Math.min(headerBytes, limit);
  /** Next position in the segment to look at. */
  let at = 0;
  let foreign = false;
  /** Begin of the bytes that are no record, or null while all is sound. */
  let lost: number | null = null;
  const report: ScanReport = { soundBytes: 0, records: 0, damaged: [] };

  return {
    push(chunk) {
      let taken = 0;
      // What is held gets only the bytes that complete it: joining it with the whole chunk would copy all of them. Where
      // records are looked for behind damage, joining little by little would copy the same ones over and over.
      while (heldBytes > 0 && taken < chunk.byteLength) {
        const missing = lost === null ? needed - heldBytes : chunk.byteLength;
        const piece = chunk.subarray(taken, taken + missing);
        taken += piece.byteLength;
        hold(piece);
        if (heldBytes >= needed) look(Buffer.concat(held));
      }
      if (taken < chunk.byteLength) look(chunk.subarray(taken));
    },
    finish() {
      // What was sound once and is not any more is damage, even with nothing sound behind it.
      const promised = foreign ? limit : (end ?? 0);
      if (report.soundBytes < promised) {
        report.damaged.push({ offset: report.soundBytes, length: promised - report.soundBytes });
      }
      return report;
    },
  };

  /** Finds the records in what comes next, and holds the rest. */
  function look(bytes: Buffer): void {
    window = bytes;
    held.length = 0;
    heldBytes = 0;
    if (window.byteLength >= needed) parse();
    const rest = window.subarray(at - base);
    base = at;
    if (rest.byteLength > 0) hold(rest);
  }

  function hold(bytes: Buffer): void {
    held.push(Buffer.from(bytes));
    heldBytes += bytes.byteLength;
  }

  function parse(): void {
    if (at === 0) parseHeader();
    while (!foreign && limit - at > recordHeaderBytes) {
      if (!holds(recordHeaderBytes)) return;
      const local = at - base;
      const length = plausibleLength(window, local);
      if (length > 0 && at + recordHeaderBytes + length <= limit) {
        if (!holds(recordHeaderBytes + length)) return;
        if (isSoundRecord(window, local, length)) {
          take(local, length);
          continue;
        }
      }
      lost ??= at;
      at += 1;
    }
    at = base + window.byteLength;
    needed = 0;
  }

  function parseHeader(): void {
    if (limit < headerBytes) {
      at = limit;
      return;
    }
    const state = checkHeader(window.subarray(0, headerBytes), id);
    at = headerBytes;
    // The name of the file vouches for a header that is damaged, but not against one that is sound.
    if (state === "sound") report.soundBytes = headerBytes;
    else lost = 0;
    foreign = state === "foreign";
  }

  function take(local: number, length: number): void {
    if (lost !== null) {
      report.damaged.push({ offset: lost, length: at - lost });
      lost = null;
    }
    const offset = at + recordHeaderBytes;
    at = offset + length;
    report.records += 1;
    report.soundBytes = at;
    onRecord({ ...readRecord(window, local, length), offset });
  }

  function holds(bytes: number): boolean {
    needed = bytes;
    return base + window.byteLength - at >= bytes;
  }
}
