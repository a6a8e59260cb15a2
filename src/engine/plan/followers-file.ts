import { crc32 } from "node:zlib";
import type { FileReader, FileStore } from "../../files/file-store.ts";
import { PlanDamage, type PlannedLine, type PlanRecord } from "./plan.ts";

/**
 * Which lines of a batch get the answer of an earlier one. It lies beside the plan, and like the plan it can be written
 * again from the input. All numbers are little-endian.
 *
 * - File: magic `NERIFFLW`, version u32, zero u32; then blocks; then crc32 u32 over what is behind it, zero u32, the
 *   number of all records u32.
 * - Block: crc32 u32 over everything behind it, count u32, then `count` records. All but the last have 4,096.
 * - Record, 20 bytes, by line: line index u32, index of the line that it follows u32, start of its id in the input u48,
 *   length of the id u16, crc32 of the id u32.
 */
export interface Follower {
  /** Finds the id of the line; its body, which is that of its leader, is left out. */
  record: PlanRecord;
  leader: number;
}

const magic = Buffer.from("NERIFFLW");
const version = 1;
const headerBytes = 16;
const blockHeaderBytes = 8;
const recordBytes = 20;
const endBytes = 12;
export const blockRecords = 4_096;

export interface FollowersWriter {
  add(follower: PlannedLine, leader: number): void;
  /** Writes what is full. */
  flush(): Promise<void>;
  /** Writes the rest and makes the file durable. */
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/** @throws NerifError `disk_full`, `storage_unavailable`, also from the writer's methods */
export async function createFollowersWriter(files: FileStore, key: string): Promise<FollowersWriter> {
  const file = await files.create(key);
  let full: Buffer[] = [fileHeader()];
  let block = Buffer.alloc(blockHeaderBytes + blockRecords * recordBytes);
  let inBlock = 0;
  let total = 0;

  function closeBlock(): void {
    if (inBlock === 0) return;
    const bytes = block.subarray(0, blockHeaderBytes + inBlock * recordBytes);
    bytes.writeUInt32LE(inBlock, 4);
    full.push(seal(bytes));
    block = Buffer.alloc(block.length);
    inBlock = 0;
  }

  async function flush(): Promise<void> {
    const blocks = full;
    full = [];
    if (blocks.length > 0) await file.write(blocks);
  }

  return {
    add({ line, offset, request: { idStart, idEnd }, bytes }, leader) {
      const at = blockHeaderBytes + inBlock * recordBytes;
      block.writeUInt32LE(line, at);
      block.writeUInt32LE(leader, at + 4);
      block.writeUIntLE(offset + idStart, at + 8, 6);
      block.writeUInt16LE(idEnd - idStart, at + 14);
      block.writeUInt32LE(crc32(bytes.subarray(idStart, idEnd)), at + 16);
      inBlock += 1;
      total += 1;
      if (inBlock === blockRecords) closeBlock();
    },
    flush,
    async commit() {
      closeBlock();
      const end = Buffer.alloc(endBytes);
      end.writeUInt32LE(total, 8);
      full.push(seal(end));
      await flush();
      // DURABLE: before the plan, so that whoever finds a plan finds who follows whom in it.
      await file.commit();
    },
    abort: () => file.abort(),
  };
}

/** @throws NerifError `data_damaged` */
export async function readFollowerCount(file: FileReader): Promise<number> {
  const header = await file.read(0, headerBytes);
  const end = await file.read(Math.max(0, file.bytes - endBytes), endBytes);
  const count = end.length === endBytes && isSealed(end) ? end.readUInt32LE(8) : 0;
  const blocks = Math.ceil(count / blockRecords);
  const size = headerBytes + blocks * blockHeaderBytes + count * recordBytes + endBytes;
  if (header.equals(fileHeader()) && isSealed(end) && size === file.bytes) return count;
  throw new PlanDamage("the file of lines that share an answer is not what was written");
}

/**
 * One block, by its number from 0.
 * @throws NerifError `data_damaged`
 */
export async function readFollowers(file: FileReader, block: number): Promise<Follower[]> {
  const start = headerBytes + block * (blockHeaderBytes + blockRecords * recordBytes);
  const most = blockHeaderBytes + blockRecords * recordBytes;
  const bytes = await file.read(start, Math.min(most, file.bytes - endBytes - start));
  const count = bytes.length < blockHeaderBytes ? 0 : bytes.readUInt32LE(4);
  if (count === 0 || bytes.length !== blockHeaderBytes + count * recordBytes || !isSealed(bytes)) {
    throw new PlanDamage(`block ${block} of lines that share an answer does not match its checksum`);
  }
  return Array.from({ length: count }, (_, i) => readRecord(bytes, blockHeaderBytes + i * recordBytes));
}

function readRecord(bytes: Buffer, at: number): Follower {
  const nowhere = { modelStart: 0, modelLength: 0, bodyStart: 0, bodyLength: 0 };
  const record: PlanRecord = {
    ...nowhere,
    line: bytes.readUInt32LE(at),
    offset: bytes.readUIntLE(at + 8, 6),
    idStart: 0,
    idLength: bytes.readUInt16LE(at + 14),
    // Of no meaning here; a line is sent under that of its leader.
    endpoint: "/v1/chat/completions",
    sums: { id: bytes.readUInt32LE(at + 16), body: crc32("") },
  };
  return { record, leader: bytes.readUInt32LE(at + 4) };
}

function fileHeader(): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt32LE(version, magic.length);
  return header;
}

function seal(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

function isSealed(bytes: Buffer): boolean {
  return bytes.length > 4 && crc32(bytes.subarray(4)) === bytes.readUInt32LE(0);
}
