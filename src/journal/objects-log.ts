import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { NerifError } from "../batch/errors.ts";
import type { Bucket } from "../s3/bucket.ts";
import type { JournalEntry, SegmentId } from "./journal.ts";
import { encodeLog, type LogPart, maxStretches } from "./objects-format.ts";
import { logName } from "./objects-names.ts";

/** A segment as the log of its batch sees it. */
export interface LogMember {
  readonly id: SegmentId;
  /** Takes entries that wait, of about so many bytes, at least one. */
  take(bytes: number): { start: number; entries: readonly JournalEntry[]; bytes: number };
  readonly waits: boolean;
  /** What was taken last is durable; these are its records. */
  settled(records: Buffer, log: WrittenLog): void;
}

export interface WrittenLog {
  name: string;
  /** Segments in it that are not yet kept whole elsewhere. */
  needed: number;
}

/**
 * Writes the logs of one batch, one after another: a log that is there has all before it there, so that what a worker
 * leaves is always the beginning of what it wrote. One begins as soon as the last is written, but not before the
 * interval is over, unless a shard's worth of answers waits: requests cost money, and answers that wait are repeated
 * after a crash.
 */
export interface BatchLog {
  /** An entry was appended to a segment. */
  appended(member: LogMember): void;
  /** Removes, some time, a log that nobody needs any more. */
  discard(log: WrittenLog): void;
  /** Writes nothing more. */
  stop(): void;
}

export interface BatchLogOptions {
  batchId: string;
  bucket: Bucket;
  intervalMs: number;
  /** Rest before a log that could not be written is tried again; it doubles up to 15 s. */
  retryMs: number;
  /** Milliseconds that only grow. */
  monotonic: () => number;
  onFlush: () => void;
  /** A log could not be written and is tried again (true), or was written after that. */
  onStalled: (stalled: boolean, error: NerifError | null) => void;
}

/** Answers that are flushed without waiting for the interval: as many as a shard has. */
const flushEntries = 512;
const logBytes = 16 * 1024 * 1024;
const longestRetryMs = 15_000;
const discardedAtOnce = 100;

export function createBatchLog(options: BatchLogOptions): BatchLog {
  const { batchId, bucket, intervalMs, retryMs, monotonic } = options;
  // Names are unique: an object of a process before this one is never replaced, whatever that still sends.
  const writer = randomBytes(8).toString("hex");
  const dirty = new Set<LogMember>();
  const discarded: string[] = [];
  let waiting = 0;
  let nth = 0;
  let lastFlush = Number.NEGATIVE_INFINITY;
  let flushing = false;
  let timer: NodeJS.Timeout | null = null;
  let immediate = false;
  const stopped = new AbortController();

  return {
    appended(member) {
      waiting += 1;
      dirty.add(member);
      arm();
    },
    discard({ name }) {
      discarded.push(name);
      if (discarded.length < discardedAtOnce) return;
      // What is left goes with the batch.
      bucket.remove(discarded.splice(0), "remove results that are kept elsewhere").catch(() => {});
    },
    stop() {
      stopped.abort();
      if (timer !== null) clearTimeout(timer);
    },
  };

  function arm(): void {
    if (flushing || immediate || stopped.signal.aborted || dirty.size === 0) return;
    const rest = waiting >= flushEntries ? 0 : lastFlush + intervalMs - monotonic();
    if (rest > 0) {
      timer ??= setTimeout(begin, rest);
      return;
    }
    immediate = true;
    // At the end of this turn, so that all that it brings goes together.
    setImmediate(begin);
  }

  function begin(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    immediate = false;
    if (flushing || stopped.signal.aborted || dirty.size === 0) return;
    flushing = true;
    flush().finally(() => {
      flushing = false;
      arm();
    });
  }

  async function flush(): Promise<void> {
    lastFlush = monotonic();
    const { parts, members } = take();
    const { body, stretches } = encodeLog(parts);
    const name = logName({ batchId, writer, nth, ids: members.map(({ id }) => id) });
    nth += 1;
    // DURABLE: an answer counts when S3 has confirmed the object that it is in.
    await putUntilDone(name, body);
    if (stopped.signal.aborted) return;
    const log = { name, needed: members.length };
    for (const [i, { offset, length }] of stretches.entries()) {
      members[i]?.settled(body.subarray(offset, offset + length), log);
    }
    options.onFlush();
  }

  function take(): { parts: LogPart[]; members: LogMember[] } {
    const parts: LogPart[] = [];
    const members: LogMember[] = [];
    let room = logBytes;
    for (const member of dirty) {
      if (room <= 0 || parts.length >= maxStretches) break;
      const { start, entries, bytes } = member.take(room);
      room -= bytes;
      waiting -= entries.length;
      parts.push({ id: member.id, start, entries });
      members.push(member);
      if (!member.waits) dirty.delete(member);
    }
    return { parts, members };
  }

  /** The same name and the same bytes each time: it does no harm when an earlier try arrives late. */
  async function putUntilDone(name: string, body: Buffer): Promise<void> {
    for (let delay = retryMs; ; delay = Math.min(delay * 2, longestRetryMs)) {
      try {
        await bucket.put(name, body, `keep results of ${batchId}`);
        if (delay > retryMs) options.onStalled(false, null);
        return;
      } catch (reason) {
        if (stopped.signal.aborted) return;
        options.onStalled(true, NerifError.fromUnknown(reason, `keep results of ${batchId}`));
        // It keeps the process alive: answers wait. A stop ends it, and the next turn.
        await sleep(delay, null, { signal: stopped.signal }).catch(() => {});
      }
    }
  }
}
