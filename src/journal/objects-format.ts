import { crc32 } from "node:zlib";
import { NerifError } from "../batch/errors.ts";
import type { JournalEntry, SegmentId } from "./journal.ts";
import { payloadBytes, putCrc, putRecordHeader, recordHeaderBytes } from "./record.ts";

/*
 * A log is an object with the records that one worker got durable at once for one batch. All numbers are little-endian.
 *
 * records   of one segment after another, each as in `record.ts`
 * index     for each of these segments: shard u32 | epoch u32 | position in the segment u32 | length u32
 * end       magic "NERIFLOG" | version u32 | number of segments u32 | crc32 u32 over the index and the end before it
 */

/** Records of one segment that stand together. */
export interface Stretch {
  shard: number;
  epoch: number;
  /** Position in the segment. */
  start: number;
  length: number;
  /** Position in the object. */
  offset: number;
}

const magic = Buffer.from("NERIFLOG");
const version = 1;
const entryBytes = 16;
const endBytes = 20;

/** Bytes at an object's end that hold its index, and of most objects all. */
export const tailBytes = 256 * 1024;
/** So that the index always fits into that. */
export const maxStretches = 10_000;

export interface LogPart {
  id: SegmentId;
  start: number;
  entries: readonly JournalEntry[];
}

export function encodeLog(parts: readonly LogPart[]): { body: Buffer; stretches: Stretch[] } {
  let offset = 0;
  const stretches = parts.map(({ id, start, entries }) => {
    const length = entries.reduce((sum, entry) => sum + recordHeaderBytes + payloadBytes(entry), 0);
    const stretch = { shard: id.shard, epoch: id.epoch, start, length, offset };
    offset += length;
    return stretch;
  });
  const body = Buffer.allocUnsafe(offset + parts.length * entryBytes + endBytes);
  let at = 0;
  for (const { entries } of parts) for (const entry of entries) at = putRecord(body, at, entry);
  for (const { shard, epoch, start, length } of stretches) {
    for (const value of [shard, epoch, start, length]) at = body.writeUInt32LE(value, at);
  }
  at += magic.copy(body, at);
  at = body.writeUInt32LE(version, at);
  at = body.writeUInt32LE(parts.length, at);
  body.writeUInt32LE(crc32(body.subarray(offset, at)), at);
  return { body, stretches };
}

function putRecord(target: Buffer, at: number, entry: JournalEntry): number {
  putRecordHeader(target, at, { entry, length: payloadBytes(entry) });
  let end = at + recordHeaderBytes;
  for (const piece of entry.payload) {
    target.set(piece, end);
    end += piece.byteLength;
  }
  putCrc(target, at, crc32(target.subarray(at + 8, end)));
  return end;
}

/** What a log holds, as little as it takes to keep: of each stretch its shard, epoch, start and length, in their order. */
export type LogIndex = Uint32Array;

export const emptyIndex: LogIndex = new Uint32Array(0);

/**
 * What a log holds, out of its last bytes; nothing when its index is damaged.
 * @throws NerifError `data_too_new`
 */
export function decodeIndex(tail: Buffer): LogIndex {
  const end = tail.byteLength - endBytes;
  if (end < 0 || !tail.subarray(end, end + magic.length).equals(magic)) return emptyIndex;
  const found = tail.readUInt32LE(end + 8);
  const begin = end - tail.readUInt32LE(end + 12) * entryBytes;
  if (begin < 0 || crc32(tail.subarray(begin, end + 16)) !== tail.readUInt32LE(end + 16)) return emptyIndex;
  if (found > version) {
    throw new NerifError(
      "data_too_new",
      `Cannot read results: they have format ${found}, this version knows up to ${version}`,
    );
  }
  return Uint32Array.from({ length: (end - begin) / 4 }, (_, i) => tail.readUInt32LE(begin + 4 * i));
}

export function stretchesOf(index: LogIndex): Stretch[] {
  const stretches: Stretch[] = [];
  let offset = 0;
  for (let at = 0; at < index.length; at += 4) {
    const [shard = 0, epoch = 0, start = 0, length = 0] = [
      index[at],
      index[at + 1],
      index[at + 2],
      index[at + 3],
    ];
    stretches.push({ shard, epoch, start, length, offset });
    offset += length;
  }
  return stretches;
}
