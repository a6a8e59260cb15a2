import { crc32 } from "node:zlib";
import type { JournalEntry } from "./journal.ts";
import { payloadBytes, putCrc, putRecordHeader, recordHeaderBytes } from "./record.ts";

/** Collects records as buffers for one `writev`. */
export interface Stage {
  /** Adds raw bytes. The stage must be empty. */
  addHeader(header: Buffer): void;
  /** Adds a record; false when it is full and has to be written and cleared first. */
  add(entry: JournalEntry): boolean;
  /** The buffers so far, valid until `clear`. */
  take(): Uint8Array[];
  clear(): void;
}

const stageBytes = 512 * 1024;
/** Payloads up to this are copied together: for small ones that costs less than a buffer of its own each. */
const copiedBytes = 16 * 1024;
/** Linux takes 1,024 buffers in one call. */
const maxBuffers = 1_000;

/** One stage serves all segments, since each write is over before the next one begins. */
export function createStage(): Stage {
  const scratch = Buffer.allocUnsafeSlow(stageBytes);
  let buffers: Uint8Array[] = [];
  /** What of the scratch is in use, and from where on it is not in `buffers` yet. */
  let used = 0;
  let runStart = 0;

  return {
    addHeader(header) {
      scratch.set(header, used);
      used += header.byteLength;
    },
    add(entry) {
      const length = payloadBytes(entry);
      const copied = length <= copiedBytes;
      const room = recordHeaderBytes + (copied ? length : 0);
      const full = used + room > stageBytes || buffers.length + entry.payload.length + 2 > maxBuffers;
      if (full && used > 0) return false;
      if (copied) addCopied(entry, length);
      else addByReference(entry, length);
      return true;
    },
    take() {
      endRun();
      return buffers;
    },
    clear() {
      buffers = [];
      used = 0;
      runStart = 0;
    },
  };

  function addCopied(entry: JournalEntry, length: number): void {
    const at = used;
    putRecordHeader(scratch, at, { entry, length });
    used += recordHeaderBytes;
    for (const piece of entry.payload) {
      scratch.set(piece, used);
      used += piece.byteLength;
    }
    putCrc(scratch, at, crc32(scratch.subarray(at + 8, used)));
  }

  function addByReference(entry: JournalEntry, length: number): void {
    const at = used;
    putRecordHeader(scratch, at, { entry, length });
    used += recordHeaderBytes;
    endRun();
    let crc = crc32(scratch.subarray(at + 8, used));
    for (const piece of entry.payload) {
      crc = crc32(piece, crc);
      buffers.push(piece);
    }
    putCrc(scratch, at, crc);
  }

  function endRun(): void {
    if (used > runStart) buffers.push(scratch.subarray(runStart, used));
    runStart = used;
  }
}
