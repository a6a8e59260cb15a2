import { fdatasync, writevSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { isId } from "../batch/ids.ts";
import { prepareDirectory, syncDirectory } from "../disk/directory.ts";
import { createCommitGroup, isFull } from "./commit-group.ts";
import type {
  Journal,
  JournalEntry,
  ScannedRecord,
  ScanReport,
  SegmentId,
  SegmentReader,
  SegmentWriter,
} from "./journal.ts";
import { assertSegmentId } from "./record.ts";
import { createRecordParser } from "./record-parser.ts";
import { createSegmentWriter, type JournalCalls } from "./segment-writer.ts";
import { createStage } from "./stage.ts";

export interface DiskJournalOptions {
  /** Holds one directory per batch; created with mode 0700 at the first write. */
  directory: string;
  /**
   * Called once with NerifError `storage_unavailable` when a sync failed, or a write for another reason than a
   * full disk; what `secure` writes and syncs may find the disk full. Nothing becomes durable from then on: the process must stop and start again.
   */
  onFatal: (error: NerifError) => void;
  /**
   * Shortest time between two syncs of a segment, in milliseconds: what a power cut may repeat. Default 5, which
   * halves the CPU per result at 20,000 results a second; a kill of the process loses none of it.
   */
  syncIntervalMs?: number;
  /** The calls that decide about durability; tests put failing ones here. Default: those of Node. */
  calls?: Partial<JournalCalls>;
}

const chunkBytes = 1024 * 1024;
const segmentName = /^(0|[1-9]\d{0,9})-(0|[1-9]\d{0,9})\.seg$/;

const defaultCalls: JournalCalls = {
  write: writevSync,
  sync: fdatasync,
};

/** Segments as files: `<directory>/<batch id>/<shard>-<epoch>.seg`, mode 0600. */
export function createDiskJournal(options: DiskJournalOptions): Journal {
  const { directory, onFatal, syncIntervalMs = 5 } = options;
  const calls = { ...defaultCalls, ...options.calls };
  const group = createCommitGroup({ syncIntervalMs, onFatal });
  const stage = createStage();
  /** Directories of batches whose names are durable, or about to be. */
  const prepared = new Map<string, Promise<void>>();
  /** The directory of them all, likewise. */
  let root: Promise<void> | null = null;
  /** Buffers of scans that have ended. */
  const spare: Buffer[] = [];

  return {
    async create<E extends JournalEntry>(
      id: SegmentId,
      onDurable: (entries: E[]) => void,
    ): Promise<SegmentWriter<E>> {
      assertSegmentId(id);
      if (group.failure) throw group.failure;
      const handle = await createFile(id);
      try {
        // DURABLE: the segment's name. Before the first entry can count, since a power cut would take the whole
        // file with it.
        await syncDirectory(join(directory, id.batchId), failedSync);
      } catch (reason) {
        await handle.close();
        throw storageError(`begin ${nameOf(id)}`, reason);
      }
      return createSegmentWriter({ id, handle, group, stage, calls, onDurable });
    },

    scan,

    async secure(id) {
      if (group.failure) throw group.failure;
      const left = await scan(id, null, () => {});
      if (left.records > 0) {
        await secureSound(id, left).catch((reason: unknown) => {
          throw storageError(`secure ${nameOf(id)}`, reason);
        });
      }
      return left;
    },

    async open(id) {
      assertSegmentId(id);
      const handle = await openIfThere(id);
      if (handle === null) throw damaged(id, "it is not there");
      return createSegmentReader(id, { handle, sync });
    },

    gapBytes: 16 * 1024,

    async epochs(batchId, shard) {
      assertSegmentId({ batchId, shard, epoch: 0 });
      const epochs: number[] = [];
      for (const name of await namesIn(join(directory, batchId))) {
        const match = segmentName.exec(name);
        if (match && Number(match[1]) === shard) epochs.push(Number(match[2]));
      }
      return epochs.sort((a, b) => a - b);
    },

    async remove(batchId) {
      assertSegmentId({ batchId, shard: 0, epoch: 0 });
      prepared.delete(batchId);
      try {
        await rm(join(directory, batchId), { recursive: true, force: true });
        // DURABLE: or the batch would come back with a power cut, though nothing knows it any more.
        await syncDirectory(directory, failedSync);
      } catch (reason) {
        if (errnoOf(reason) !== "ENOENT") throw storageError(`remove the results of ${batchId}`, reason);
      }
    },

    async batches() {
      return (await namesIn(directory)).filter((name) => isId("batch", name));
    },

    get unflushedBytes() {
      return group.unflushedBytes;
    },
    get stalled() {
      return group.stalled;
    },
    stallReason: "disk_full",
    onFlush: (listener) => group.onFlush(listener),
  };

  async function scan(
    id: SegmentId,
    end: number | null,
    onRecord: (record: ScannedRecord) => void,
  ): Promise<ScanReport> {
    assertSegmentId(id);
    const handle = await openIfThere(id);
    // Reused: scanning a large batch would otherwise leave garbage faster than V8 notices bytes outside its heap.
    const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(chunkBytes);
    try {
      const available = handle === null ? 0 : (await handle.stat()).size;
      const parser = createRecordParser({ id, available, end, onRecord });
      const limit = Math.min(available, end ?? available);
      for (let at = 0; handle !== null && at < limit; ) {
        const chunk = await readInto(buffer.subarray(0, limit - at), handle, at);
        if (chunk.byteLength === 0) break;
        parser.push(chunk);
        at += chunk.byteLength;
      }
      return parser.finish();
    } catch (reason) {
      throw readError(id, reason);
    } finally {
      spare.push(buffer);
      await handle?.close();
    }
  }

  async function secureSound(id: SegmentId, { soundBytes, damaged }: ScanReport): Promise<void> {
    const handle = await open(pathOf(id), "r+");
    const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(chunkBytes);
    try {
      let from = 0;
      for (const { offset, length } of [...damaged, { offset: soundBytes, length: 0 }]) {
        await writeAgain(handle, { buffer, from, until: offset });
        from = offset + length;
      }
      if (group.failure) throw group.failure;
      await promisify(calls.sync)(handle.fd).catch((reason: unknown) => {
        throw failed(reason, "a sync");
      });
    } finally {
      spare.push(buffer);
      await handle.close();
    }
  }

  /**
   * The same bytes at the same places, whatever becomes of it: so a power cut in between changes nothing. Only sound ones,
   * which are what any other writer would write there.
   */
  async function writeAgain(
    handle: FileHandle,
    { buffer, from, until }: { buffer: Buffer; from: number; until: number },
  ): Promise<void> {
    for (let at = from; at < until; ) {
      const chunk = await readInto(buffer.subarray(0, until - at), handle, at);
      if (chunk.byteLength === 0) return;
      for (let done = 0; done < chunk.byteLength; ) {
        if (group.failure) throw group.failure;
        done += write(handle.fd, chunk.subarray(done), at + done);
      }
      at += chunk.byteLength;
    }
  }

  function write(fd: number, bytes: Uint8Array, position: number): number {
    try {
      return calls.write(fd, [bytes], position);
    } catch (reason) {
      throw failed(reason, "a write");
    }
  }

  /** Without room, which on NFS a sync tells of, all of it can be written another time. */
  function failed(reason: unknown, call: string): unknown {
    return isFull(reason) ? reason : group.fail(reason, call);
  }

  function failedSync(reason: unknown): NerifError {
    return group.fail(reason, "a sync");
  }

  /** Of what others wrote. Fatal as well: tried again it would succeed without having written anything. */
  async function sync(handle: FileHandle): Promise<void> {
    if (group.failure) throw group.failure;
    await promisify(calls.sync)(handle.fd).catch((reason: unknown) => {
      throw failedSync(reason);
    });
  }

  async function createFile(id: SegmentId): Promise<FileHandle> {
    try {
      await prepare(id.batchId);
      // Exclusive: an epoch that was used before belongs to another holder, whatever it left there.
      return await open(pathOf(id), "wx", 0o600);
    } catch (reason) {
      if (errnoOf(reason) === "EEXIST") {
        throw new NerifError("data_damaged", `Cannot begin ${nameOf(id)}: its epoch was used before`);
      }
      throw storageError(`begin ${nameOf(id)}`, reason);
    }
  }

  function prepare(batchId: string): Promise<void> {
    const known = prepared.get(batchId);
    if (known) return known;
    const made = prepareBatch(join(directory, batchId));
    prepared.set(batchId, made);
    made.catch(() => prepared.delete(batchId));
    return made;
  }

  async function prepareBatch(path: string): Promise<void> {
    root ??= prepareDirectory(directory, failedSync);
    await root.catch((reason: unknown) => {
      root = null;
      throw reason;
    });
    await mkdir(path, { recursive: true, mode: 0o700 });
    // DURABLE: the name of the batch's directory, whoever made it.
    await syncDirectory(directory, failedSync);
  }

  async function openIfThere(id: SegmentId): Promise<FileHandle | null> {
    try {
      return await open(pathOf(id), "r");
    } catch (reason) {
      if (errnoOf(reason) === "ENOENT") return null;
      throw readError(id, reason);
    }
  }

  function pathOf(id: SegmentId): string {
    return join(directory, id.batchId, `${id.shard}-${id.epoch}.seg`);
  }
}

function createSegmentReader(
  id: SegmentId,
  { handle, sync }: { handle: FileHandle; sync: (handle: FileHandle) => Promise<void> },
): SegmentReader {
  return {
    async read(offset, length) {
      const bytes = await readFully(handle, offset, length).catch((reason: unknown) => {
        throw readError(id, reason);
      });
      if (bytes.byteLength === length) return bytes;
      throw damaged(id, `it ends before byte ${offset + length}`);
    },
    async sync() {
      // Windows syncs only through handles that may write; there a power cut may take back what was shown.
      if (process.platform === "win32") return;
      await sync(handle);
    },
    close: () => handle.close(),
  };
}

function readFully(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  return readInto(Buffer.allocUnsafe(length), handle, offset);
}

/** Fills a buffer; returns less of it only at the end of the file. */
async function readInto(buffer: Buffer, handle: FileHandle, offset: number): Promise<Buffer> {
  let filled = 0;
  while (filled < buffer.byteLength) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.byteLength - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled === buffer.byteLength ? buffer : buffer.subarray(0, filled);
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (reason) {
    if (errnoOf(reason) === "ENOENT") return [];
    throw storageError("look for results", reason);
  }
}

function nameOf(id: SegmentId): string {
  return `segment ${id.shard}-${id.epoch} of ${id.batchId}`;
}

function damaged(id: SegmentId, why: string): NerifError {
  return new NerifError("data_damaged", `Cannot read ${nameOf(id)}: ${why}`);
}

function readError(id: SegmentId, reason: unknown): NerifError {
  return storageError(`read ${nameOf(id)}`, reason);
}

/** Paths stay in `cause`, which no client sees. */
function storageError(action: string, reason: unknown): NerifError {
  if (reason instanceof NerifError) return reason;
  if (isFull(reason)) return NerifError.fromUnknown(reason, action);
  return new NerifError(
    "storage_unavailable",
    `Cannot ${action}: the file system refused with ${errnoOf(reason) ?? "an unknown error"}`,
    { cause: reason },
  );
}
