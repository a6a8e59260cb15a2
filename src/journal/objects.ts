import { NerifError } from "../batch/errors.ts";
import { isId } from "../batch/ids.ts";
import type { Bucket } from "../s3/bucket.ts";
import type { Journal, JournalEntry, SegmentId, SegmentWriter } from "./journal.ts";
import { createKeptMemory } from "./objects-keeper.ts";
import { type BatchLog, createBatchLog } from "./objects-log.ts";
import { batchFolder, journalFolder, logsOf, segmentsOf } from "./objects-names.ts";
import { createSegmentFinder } from "./objects-reader.ts";
import { createObjectSegment, type ObjectSegment } from "./objects-segment.ts";
import { gather } from "./objects-tails.ts";
import { assertSegmentId, headerBytes } from "./record.ts";
import { createRecordParser } from "./record-parser.ts";

export interface ObjectJournalOptions {
  bucket: Bucket;
  /** Shortest time between the begins of two flushes of a batch with few answers, in milliseconds. Default 200. */
  flushIntervalMs?: number;
  /** Durable records that are kept in memory until their segment is closed, in bytes, over all. Default 64 MiB. */
  keptBytes?: number;
  /** Rest before answers that could not be kept are tried again, in milliseconds; it doubles up to 15 s. Default 500. */
  retryMs?: number;
  /** Milliseconds that only grow. Default: the system's. */
  monotonic?: () => number;
  /** Told when answers cannot be kept at the moment; they are tried again by themselves. */
  onProblem?: (error: NerifError) => void;
}

export interface ObjectJournal extends Journal {
  /** Writes nothing more: who waits for a segment to close is refused. */
  close(): void;
}

/**
 * Results in an object store: one object for each flush of a worker and a batch, with the records of all shards that
 * it has open, and one for each segment once it is closed. An epoch has one writer, so objects never compete; what
 * counts of an epoch that is over is what its successor found and noted, and an object that comes later lies behind
 * that.
 */
export function createObjectJournal(options: ObjectJournalOptions): ObjectJournal {
  const {
    bucket,
    flushIntervalMs = 200,
    keptBytes = 64 * 1024 * 1024,
    retryMs = 500,
    monotonic = () => performance.now(),
    onProblem = () => {},
  } = options;
  const finder = createSegmentFinder(bucket);
  const logs = new Map<string, BatchLog>();
  const used = new Map<string, Promise<Set<string>>>();
  const open = new Set<{ batchId: string; fail: (error: NerifError) => void }>();
  const stalled = new Set<string>();
  const listeners = new Set<() => void>();
  const memory = { unflushed: 0, kept: createKeptMemory(keptBytes) };
  let closed = false;

  return {
    async create<E extends JournalEntry>(
      id: SegmentId,
      onDurable: (entries: E[]) => void,
    ): Promise<SegmentWriter<E>> {
      assertSegmentId(id);
      if (closed) throw closedError();
      const epochs = await usedIn(id.batchId);
      if (epochs.has(nameOf(id))) {
        const name = `segment ${id.shard}-${id.epoch} of ${id.batchId}`;
        throw new NerifError("data_damaged", `Cannot begin ${name}: its epoch was used before`);
      }
      epochs.add(nameOf(id));
      const segment: ObjectSegment<E> = createObjectSegment({
        id,
        bucket,
        log: logOf(id.batchId),
        memory,
        onDurable,
      });
      const opened = { batchId: id.batchId, fail: segment.fail };
      open.add(opened);
      return {
        append: segment.append,
        get bytes() {
          return segment.bytes;
        },
        close: () => segment.close().finally(() => open.delete(opened)),
      };
    },

    async scan(id, end, onRecord) {
      assertSegmentId(id);
      // One that was closed without an entry has left no object.
      if (end === headerBytes) return { soundBytes: end, records: 0, damaged: [] };
      const found = await finder.scan(id, end);
      const parser = createRecordParser({ id, available: found?.bytes ?? 0, end, onRecord });
      for await (const chunk of found?.chunks ?? []) parser.push(chunk);
      return parser.finish();
    },

    secure: () => Promise.resolve(null),

    async open(id) {
      assertSegmentId(id);
      const name = `segment ${id.shard}-${id.epoch} of ${id.batchId}`;
      const source = await finder.open(id);
      if (source === null) throw new NerifError("data_damaged", `Cannot read ${name}: it is not there`);
      return {
        async read(offset, length) {
          if (offset + length <= source.bytes) return gather(source.read(offset, offset + length));
          throw new NerifError("data_damaged", `Cannot read ${name}: it ends before byte ${offset + length}`);
        },
        // What can be read was confirmed, or will be there all the same.
        async sync() {},
        async close() {},
      };
    },

    // About what comes in the time that a request takes.
    gapBytes: 1024 * 1024,

    async epochs(batchId, shard) {
      assertSegmentId({ batchId, shard, epoch: 0 });
      const action = `look for results of ${batchId}`;
      const epochs = new Set<number>();
      for (const prefix of [logsOf(batchId), segmentsOf(batchId, shard)]) {
        for await (const object of bucket.list(prefix, action)) {
          for (const each of await finder.segmentsOf(object, action))
            if (each.shard === shard) epochs.add(each.epoch);
        }
      }
      return [...epochs].sort((a, b) => a - b);
    },

    async remove(batchId) {
      assertSegmentId({ batchId, shard: 0, epoch: 0 });
      const action = `remove the results of ${batchId}`;
      logs.get(batchId)?.stop();
      logs.delete(batchId);
      used.delete(batchId);
      // Whoever waits for them stood still while another process ended the batch.
      for (const segment of [...open].filter((one) => one.batchId === batchId)) {
        open.delete(segment);
        segment.fail(removedError(batchId));
      }
      stalled.delete(batchId);
      tellListeners();
      const keys = await Array.fromAsync(bucket.list(batchFolder(batchId), action), ({ key }) => key);
      await bucket.remove(keys, action);
    },

    async batches() {
      const names = await Array.fromAsync(bucket.folders(journalFolder, "look for results"));
      return names.filter((name) => isId("batch", name));
    },

    get unflushedBytes() {
      return memory.unflushed;
    },
    get stalled() {
      // Once it is closed it takes nothing any more.
      return closed || stalled.size > 0;
    },
    stallReason: "storage_unavailable",
    onFlush(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    close() {
      closed = true;
      for (const log of logs.values()) log.stop();
      for (const segment of open) segment.fail(closedError());
      open.clear();
      tellListeners();
    },
  };

  function logOf(batchId: string) {
    const known = logs.get(batchId);
    if (known !== undefined) return known;
    const log = createBatchLog({
      ...{ batchId, bucket, monotonic, intervalMs: flushIntervalMs, retryMs, onFlush: tellListeners },
      onStalled(isStalled, error) {
        if (isStalled) stalled.add(batchId);
        else stalled.delete(batchId);
        if (error !== null) onProblem(error);
        tellListeners();
      },
    });
    logs.set(batchId, log);
    return log;
  }

  /**
   * The segments of a batch that others have begun before this process. Epochs are drawn once, but a control store
   * that was restored from a backup draws some again.
   */
  function usedIn(batchId: string): Promise<Set<string>> {
    const known = used.get(batchId);
    if (known !== undefined) return known;
    const found = listUsed(batchId);
    used.set(batchId, found);
    found.catch(() => used.delete(batchId));
    return found;
  }

  async function listUsed(batchId: string): Promise<Set<string>> {
    const names = new Set<string>();
    const action = `look for results of ${batchId}`;
    for await (const object of bucket.list(batchFolder(batchId), action)) {
      for (const segment of await finder.segmentsOf(object, action)) names.add(nameOf(segment));
    }
    return names;
  }

  function tellListeners(): void {
    for (const listener of listeners) listener();
  }
}

function nameOf({ shard, epoch }: { shard: number; epoch: number }): string {
  return `${shard}-${epoch}`;
}

function removedError(batchId: string): NerifError {
  return new NerifError(
    "aborted",
    `Cannot keep results of ${batchId}: they were removed, the batch has ended`,
  );
}

function closedError(): NerifError {
  return new NerifError("shutting_down", "Cannot keep results: the journal is closed");
}
