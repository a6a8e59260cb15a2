import { NerifError } from "../batch/errors.ts";
import type { Bucket } from "../s3/bucket.ts";
import type { JournalEntry, SegmentId, SegmentWriter } from "./journal.ts";
import { createSegmentKeeper, type KeptMemory } from "./objects-keeper.ts";
import type { BatchLog, LogMember, WrittenLog } from "./objects-log.ts";
import { headerBytes, payloadBytes, recordHeaderBytes } from "./record.ts";

/** What all segments of a process share. */
export interface SegmentMemory {
  /** Bytes of answers appended and not yet durable; each answer weighs at least `leastWeight`. */
  unflushed: number;
  kept: KeptMemory;
}

/**
 * An answer weighs at least this against the 16 MiB of unflushed bytes at which nothing more is sent: about 1,024 of
 * them may wait, and be repeated after a crash, however small they are.
 */
const leastWeight = 16 * 1024;

export interface ObjectSegmentOptions<E extends JournalEntry> {
  id: SegmentId;
  bucket: Bucket;
  log: BatchLog;
  memory: SegmentMemory;
  onDurable: (entries: E[]) => void;
}

export interface ObjectSegment<E extends JournalEntry> extends SegmentWriter<E> {
  fail(error: NerifError): void;
}

/**
 * A segment whose records go to the logs of its batch as they come. By the time that it is closed they are written once
 * more, so that reading them back is one request or a few, and the logs can go when they hold nothing else.
 */
export function createObjectSegment<E extends JournalEntry>(
  options: ObjectSegmentOptions<E>,
): ObjectSegment<E> {
  const { id, bucket, log, memory, onDurable } = options;
  /** Entries that are not durable yet, in order; the first `taken` of them are on their way. */
  let entries: E[] = [];
  let taken = 0;
  let bytes = headerBytes;
  let durable = headerBytes;
  const keeper = createSegmentKeeper({ id, bucket, memory: memory.kept });
  const logs: WrittenLog[] = [];
  let closed: PromiseWithResolvers<number> | null = null;
  let failed = false;

  const member: LogMember = {
    id,
    take(most) {
      let size = 0;
      let count = 0;
      for (const entry of entries) {
        if (count > 0 && size >= most) break;
        size += recordHeaderBytes + payloadBytes(entry);
        count += 1;
      }
      taken = count;
      return { start: durable, entries: entries.slice(0, count), bytes: size };
    },
    get waits() {
      return entries.length > taken;
    },
    settled(records, written) {
      const reported = entries.slice(0, taken);
      entries = entries.slice(taken);
      taken = 0;
      durable += records.byteLength;
      logs.push(written);
      keeper.add(records);
      for (const entry of reported) memory.unflushed -= weightOf(entry);
      // Before the report, in which the caller may close the segment itself.
      if (closed && durable === bytes) void release(closed);
      onDurable(reported);
    },
  };

  return {
    append(entry) {
      // Whoever still has answers for it hears of that when they close it, or lose its lease.
      if (failed) return;
      if (closed)
        throw new NerifError("internal_error", `Cannot keep line ${entry.line}: the segment is closed`);
      bytes += recordHeaderBytes + payloadBytes(entry);
      memory.unflushed += weightOf(entry);
      entries.push(entry);
      log.appended(member);
    },
    get bytes() {
      return bytes;
    },
    close() {
      if (closed) return closed.promise;
      closed = Promise.withResolvers<number>();
      if (durable === bytes) void release(closed);
      return closed.promise;
    },
    fail(error) {
      failed = true;
      closed ??= Promise.withResolvers<number>();
      // Nobody may be waiting for it.
      closed.promise.catch(() => {});
      closed.reject(error);
      // What waits for a flush will get none.
      for (const entry of entries) memory.unflushed -= weightOf(entry);
      entries = [];
      taken = 0;
      keeper.forget();
    },
  };

  async function release({ resolve }: PromiseWithResolvers<number>): Promise<void> {
    if (logs.length > 0 && (await keeper.finish())) {
      for (const written of logs) {
        written.needed -= 1;
        if (written.needed === 0) log.discard(written);
      }
    }
    keeper.forget();
    resolve(bytes);
  }
}

function weightOf(entry: JournalEntry): number {
  return Math.max(leastWeight, recordHeaderBytes + payloadBytes(entry));
}
