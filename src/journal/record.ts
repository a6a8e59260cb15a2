import { crc32 } from "node:zlib";
import { NerifError } from "../batch/errors.ts";
import { isId } from "../batch/ids.ts";
import { type JournalEntry, type RecordKind, recordKinds, type SegmentId } from "./journal.ts";

/*
 * The format of a segment; all numbers are little-endian.
 *
 * header  magic "NERIFSEG" | version u32 | shard u32 | epoch u32 | batch id, 38 bytes | 2 zero bytes | crc32 u32
 * record  payload length u32 | crc32 u32 over all that follows | line u32 | kind u8 | zero u8 | attempts u16 | payload
 *
 * The header keeps its size and its CRC in every version, so that a newer one is told from damage.
 */

export const headerBytes = 64;
export const recordHeaderBytes = 16;

/**
 * Longest payload. Its first length byte with a meaning above 16 MiB is 7 at most, and no byte below 9 occurs in
 * JSON text: no payload can contain what passes for a record when a scan looks for the next sound one.
 */
export const maxPayloadBytes = 0x07ff_ffff;

const magic = Buffer.from("NERIFSEG");
const version = 1;
const crcAt = headerBytes - 4;

export function encodeHeader(id: SegmentId): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt32LE(version, 8);
  header.writeUInt32LE(id.shard, 12);
  header.writeUInt32LE(id.epoch, 16);
  header.write(id.batchId, 20, "latin1");
  header.writeUInt32LE(crc32(header.subarray(0, crcAt)), crcAt);
  return header;
}

/**
 * What the first bytes of a segment's file say: that it is this segment, another one, or nothing sound.
 * @throws NerifError `data_too_new`
 */
export function checkHeader(header: Buffer, id: SegmentId): "sound" | "foreign" | "damaged" {
  if (!header.subarray(0, magic.length).equals(magic)) return "damaged";
  if (crc32(header.subarray(0, crcAt)) !== header.readUInt32LE(crcAt)) return "damaged";
  const found = header.readUInt32LE(8);
  if (found > version) {
    throw new NerifError(
      "data_too_new",
      `Cannot read the results of ${id.batchId}: they have format ${found}, this version knows up to ${version}`,
    );
  }
  return header.equals(encodeHeader(id)) ? "sound" : "foreign";
}

/** @throws NerifError `invalid_id`. Checked before any part of an id becomes a path. */
export function assertSegmentId(id: SegmentId): void {
  if (isId("batch", id.batchId) && isU32(id.shard) && isU32(id.epoch)) return;
  const shown = JSON.stringify(String(id.batchId).slice(0, 80));
  throw new NerifError("invalid_id", `Cannot use ${shown}, ${id.shard}, ${id.epoch} as a segment's id`);
}

/** @throws NerifError `internal_error` when the entry does not fit the format */
export function payloadBytes(entry: JournalEntry): number {
  let length = 0;
  for (const piece of entry.payload) length += piece.byteLength;
  if (length > 0 && length <= maxPayloadBytes && isU32(entry.line)) return length;
  throw new NerifError(
    "internal_error",
    `Cannot keep the result of line ${entry.line}: its ${length} bytes are not between 1 and ${maxPayloadBytes}`,
  );
}

/** Puts the header of `entry` at `at`, all but the CRC, which follows from the bytes behind it. */
export function putRecordHeader(target: Buffer, at: number, record: { entry: JournalEntry; length: number }) {
  const { entry, length } = record;
  target.writeUInt32LE(length, at);
  target.writeUInt32LE(entry.line, at + 8);
  target[at + 12] = entry.kind;
  target[at + 13] = 0;
  target.writeUInt16LE(Math.min(entry.attempts, 0xffff), at + 14);
}

export function putCrc(target: Buffer, at: number, crc: number): void {
  target.writeUInt32LE(crc, at + 4);
}

/** The payload's length if the 16 bytes at `at` may be a record's header, else 0; no payload is empty. */
export function plausibleLength(window: Buffer, at: number): number {
  // The top byte decides first: in JSON text it is never that low, so a search passes quickly over payloads.
  if ((window[at + 3] ?? 0xff) > maxPayloadBytes >>> 24) return 0;
  if ((window[at + 12] ?? 0xff) > recordKinds.unfinished || window[at + 13] !== 0) return 0;
  return window.readUInt32LE(at);
}

export function isSoundRecord(window: Buffer, at: number, length: number): boolean {
  return crc32(window.subarray(at + 8, at + recordHeaderBytes + length)) === window.readUInt32LE(at + 4);
}

export function readRecord(window: Buffer, at: number, length: number) {
  const payloadAt = at + recordHeaderBytes;
  return {
    line: window.readUInt32LE(at + 8),
    kind: window[at + 12] as RecordKind,
    attempts: window.readUInt16LE(at + 14),
    payload: window.subarray(payloadAt, payloadAt + length),
  };
}

function isU32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}
