import { crc32 } from "node:zlib";
import { NerifError } from "../../batch/errors.ts";
import { type Endpoint, limits } from "../../batch/limits.ts";
import type { RequestLine } from "../../batch/request-line.ts";
import type { FileReader } from "../../files/file-store.ts";

/**
 * What validation wrote down for execution. All numbers are little-endian.
 *
 * - File: magic `NERIFPLN`, version u32, zero u32; then one block for each shard, in the order in which they
 *   became full.
 * - Block: crc32 u32 over everything behind it, shard number u32, count u32, then `count` records in the order in which
 *   they run: that of the file, unless lines are grouped by prefix.
 * - Record, 40 bytes: line index u32, line offset u48, id start u32, id length u16, model start u32, model length
 *   u16, body start u32, body length u32, endpoint u8, zero u8, crc32 of the id u32, crc32 of the body, in which the
 *   model lies, u32. Starts are relative to the line's offset. In version 1 the last two are missing.
 */
export interface PlanRecord {
  /** 0-based index among the requests of the file. */
  line: number;
  /** Where the line begins in the input, in bytes. */
  offset: number;
  /** The raw JSON string of `custom_id`, relative to the line, its quotes included. */
  idStart: number;
  idLength: number;
  /** The raw JSON string of the model, likewise; 0 and 0 when there is none. */
  modelStart: number;
  modelLength: number;
  bodyStart: number;
  bodyLength: number;
  endpoint: Endpoint;
  /** CRC-32 of id and body as they were validated; null in a plan of version 1. */
  sums: { id: number; body: number } | null;
}

const magic = Buffer.from("NERIFPLN");
const version = 2;
/** The parts of the file that are not records, in bytes. */
export const fileHeaderBytes = 16;
export const blockHeaderBytes = 12;
export const recordBytes = 40;
/** Bytes of a record in the versions that are read. */
const recordBytesOf: Record<number, number> = { 1: 32, [version]: recordBytes };

/** Their places are stored: new ones only go to the end. */
export const storedEndpoints: readonly Endpoint[] = [
  "/v1/chat/completions",
  "/v1/embeddings",
  "/v1/completions",
  "/v1/responses",
  "/v1/moderations",
];

export function encodeFileHeader(): Buffer {
  const header = Buffer.alloc(fileHeaderBytes);
  magic.copy(header);
  header.writeUInt32LE(version, magic.length);
  return header;
}

/** Fills in the header of a block whose records are there already. */
export function sealBlock(block: Buffer, { shard, lines }: { shard: number; lines: number }): void {
  block.writeUInt32LE(shard, 4);
  block.writeUInt32LE(lines, 8);
  block.writeUInt32LE(crc32(block.subarray(4)), 0);
}

export interface PlannedLine {
  line: number;
  offset: number;
  request: RequestLine;
  /** The line itself, only looked at during the call. */
  bytes: Buffer;
}

/** Writes one record at `at`. */
export function encodeRecord(block: DataView, at: number, planned: PlannedLine): void {
  const { line, offset, request, bytes } = planned;
  block.setUint32(at, line, true);
  block.setUint32(at + 4, offset % 2 ** 32, true);
  block.setUint16(at + 8, offset / 2 ** 32, true);
  block.setUint32(at + 10, request.idStart, true);
  block.setUint16(at + 14, request.idEnd - request.idStart, true);
  block.setUint32(at + 16, request.modelStart, true);
  block.setUint16(at + 20, request.modelEnd - request.modelStart, true);
  block.setUint32(at + 22, request.bodyStart, true);
  block.setUint32(at + 26, request.bodyEnd - request.bodyStart, true);
  block.setUint8(at + 30, storedEndpoints.indexOf(request.endpoint));
  block.setUint32(at + 32, crc32(bytes.subarray(request.idStart, request.idEnd)), true);
  block.setUint32(at + 36, crc32(bytes.subarray(request.bodyStart, request.bodyEnd)), true);
}

/**
 * The records of one shard, in the order in which they run.
 *
 * @param planOffset where the shard's block begins, as the control store has it
 * @throws NerifError `data_damaged`, `data_too_new`
 */
export async function readShard(plan: FileReader, planOffset: number): Promise<PlanRecord[]> {
  const stride = await recordBytesIn(plan);
  const bytes = await plan.read(planOffset, blockHeaderBytes + limits.shardLines * stride);
  const count = bytes.length < blockHeaderBytes ? 0 : bytes.readUInt32LE(8);
  const end = blockHeaderBytes + count * stride;
  if (count === 0 || end > bytes.length || crc32(bytes.subarray(4, end)) !== bytes.readUInt32LE(0)) {
    throw new PlanDamage(`the block at byte ${planOffset} does not match its checksum`);
  }
  return Array.from({ length: count }, (_, i) => readRecord(bytes, blockHeaderBytes + i * stride, stride));
}

/** A plan is damaged. It can be written again: the same input has the same plan. */
export class PlanDamage extends NerifError {
  constructor(reason: string) {
    super("data_damaged", `Cannot read the plan: ${reason}`);
  }
}

const known = new WeakMap<FileReader, number>();

/** Looks at the file's header, once for each open plan. */
async function recordBytesIn(plan: FileReader): Promise<number> {
  const before = known.get(plan);
  if (before !== undefined) return before;
  const header = await plan.read(0, fileHeaderBytes);
  if (header.length < fileHeaderBytes || !header.subarray(0, magic.length).equals(magic)) {
    throw new PlanDamage("its file does not begin like a plan");
  }
  const found = header.readUInt32LE(magic.length);
  const stride = recordBytesOf[found];
  if (stride === undefined) {
    throw new NerifError(
      "data_too_new",
      `Cannot read the plan: it has version ${found}, this program knows up to ${version}`,
    );
  }
  known.set(plan, stride);
  return stride;
}

function readRecord(bytes: Buffer, at: number, stride: number): PlanRecord {
  const endpoint = storedEndpoints[bytes.readUInt8(at + 30)];
  if (endpoint === undefined) {
    throw new NerifError(
      "data_too_new",
      `Cannot read the plan: endpoint number ${bytes[at + 30]} is unknown to this program`,
    );
  }
  const hasSums = stride === recordBytes;
  return {
    line: bytes.readUInt32LE(at),
    offset: bytes.readUIntLE(at + 4, 6),
    idStart: bytes.readUInt32LE(at + 10),
    idLength: bytes.readUInt16LE(at + 14),
    modelStart: bytes.readUInt32LE(at + 16),
    modelLength: bytes.readUInt16LE(at + 20),
    bodyStart: bytes.readUInt32LE(at + 22),
    bodyLength: bytes.readUInt32LE(at + 26),
    endpoint,
    sums: hasSums ? { id: bytes.readUInt32LE(at + 32), body: bytes.readUInt32LE(at + 36) } : null,
  };
}
