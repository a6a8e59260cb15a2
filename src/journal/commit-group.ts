import { errnoOf, NerifError } from "../batch/errors.ts";

/** A segment as the group sees it. */
export interface Flushable {
  /** Writes all that was appended. Throws what the system call threw. */
  write(): void;
  /** Makes all that was written durable, reports it and then calls `done`. */
  sync(done: (error: Error | null) => void): void;
  /** Tells that nothing more will become durable. */
  fail(error: NerifError): void;
}

/**
 * Commits all segments of a journal together.
 *
 * A segment is *dirty* from an append to the write at the end of that turn of the event loop. Then it is
 * *waiting* for a round of syncs; rounds begin at least one sync interval apart, since each sync costs more CPU
 * than fifty records. In its round it is *due* until one of the few syncs that may run at once is free, and then
 * *syncing*; what is written to it meanwhile waits for the next round. So a slow disk makes groups larger, not
 * queues longer.
 */
export interface CommitGroup {
  /** Puts a segment up for writing and syncing. */
  schedule(segment: Flushable): void;
  /** Counts bytes that were appended, and, as a negative number, bytes that became durable. */
  count(bytes: number): void;
  readonly unflushedBytes: number;
  readonly stalled: boolean;
  /** Why nothing becomes durable any more. */
  readonly failure: NerifError | null;
  onFlush(listener: () => void): () => void;
  /** Stops everything for good after a call whose failure leaves it open what the disk holds. */
  fail(reason: unknown, call: string): NerifError;
  join(segment: Flushable): void;
  /** Forgets a segment; none of its calls is made after this. */
  leave(segment: Flushable): void;
}

/** A thread of Node's pool of four stays free for everybody else's reads. */
const maxSyncs = 3;
const retryFullDiskMs = 1_000;

export interface CommitGroupOptions {
  /** Shortest time from the begin of one round of syncs to the next, in milliseconds. */
  syncIntervalMs: number;
  onFatal: (error: NerifError) => void;
}

export function createCommitGroup({ syncIntervalMs, onFatal }: CommitGroupOptions): CommitGroup {
  const members = new Set<Flushable>();
  const dirty = new Set<Flushable>();
  const waiting = new Set<Flushable>();
  const due = new Set<Flushable>();
  const syncing = new Set<Flushable>();
  const listeners = new Set<() => void>();
  let scheduled = false;
  let roundTimer: NodeJS.Timeout | null = null;
  let lastRound = Number.NEGATIVE_INFINITY;
  let stalled = false;
  let unflushedBytes = 0;
  let failure: NerifError | null = null;

  return {
    schedule(segment) {
      if (failure) return;
      dirty.add(segment);
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    },
    count(bytes) {
      unflushedBytes += bytes;
    },
    get unflushedBytes() {
      return unflushedBytes;
    },
    get stalled() {
      return stalled;
    },
    get failure() {
      return failure;
    },
    onFlush(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    fail,
    join: (segment) => void members.add(segment),
    leave(segment) {
      members.delete(segment);
      dirty.delete(segment);
      waiting.delete(segment);
      due.delete(segment);
    },
  };

  function flush(): void {
    if (failure) return;
    try {
      for (const segment of dirty) {
        waiting.add(segment);
        segment.write();
        dirty.delete(segment);
      }
      scheduled = false;
      setStalled(false);
    } catch (reason) {
      if (!isFull(reason)) return void fail(reason, "a write");
      // `scheduled` stays set, so that nothing is tried before there may be room. The timer keeps the process
      // alive: entries wait. What did not fit is written again at the same position.
      setTimeout(flush, retryFullDiskMs);
      setStalled(true);
    }
    startRound();
  }

  function startRound(): void {
    if (roundTimer !== null || waiting.size === 0) return;
    const rest = lastRound + syncIntervalMs - performance.now();
    if (rest > 0) {
      roundTimer = setTimeout(() => {
        roundTimer = null;
        startRound();
      }, rest);
      return;
    }
    lastRound = performance.now();
    for (const segment of waiting) due.add(segment);
    waiting.clear();
    startSyncs();
  }

  function startSyncs(): void {
    for (const segment of due) {
      if (syncing.size >= maxSyncs) return;
      if (syncing.has(segment)) continue;
      due.delete(segment);
      waiting.delete(segment);
      syncing.add(segment);
      segment.sync((error) => {
        syncing.delete(segment);
        if (failure) return;
        // Never tried again: the kernel forgets the pages that it could not write, and then succeeds.
        if (error) return void fail(error, "a sync");
        tellListeners();
        startSyncs();
      });
    }
  }

  function setStalled(value: boolean): void {
    if (stalled === value) return;
    stalled = value;
    tellListeners();
  }

  function tellListeners(): void {
    for (const listener of listeners) listener();
  }

  function fail(reason: unknown, call: string): NerifError {
    if (failure) return failure;
    failure = new NerifError(
      "storage_unavailable",
      `Cannot keep results: ${call} of the journal failed with ${errnoOf(reason) ?? "an unknown error"}`,
      { cause: reason },
    );
    dirty.clear();
    waiting.clear();
    due.clear();
    onFatal(failure);
    for (const segment of members) segment.fail(failure);
    return failure;
  }
}

/** Whether a call was refused because there is no room, which may come. */
export function isFull(reason: unknown): boolean {
  const errno = errnoOf(reason);
  return errno === "ENOSPC" || errno === "EDQUOT";
}
