/**
 * The durable results of batches while they run. A **segment** holds the records that one holder of one shard
 * wrote under one epoch; nobody ever changes, truncates or extends another epoch's segment. Which segments count,
 * and how far, is noted in the control store under the current epoch, so a late writer's bytes are never read.
 */
export interface SegmentId {
  batchId: string;
  shard: number;
  epoch: number;
}

/** What a record says about its line. */
export const recordKinds = {
  /** A line of the output file. */
  output: 0,
  /** A line of the error file that was tried and finally failed. */
  error: 1,
  /** A line of the error file in neither count: it waited for another try when its batch was ended. */
  unfinished: 2,
} as const;

export type RecordKind = (typeof recordKinds)[keyof typeof recordKinds];

export interface JournalEntry {
  /** 0-based index of the line in its batch. */
  line: number;
  kind: RecordKind;
  /** Attempts that were made for the line, 65,535 at most. */
  attempts: number;
  /** The finished line of a result file without its newline, in pieces that are written one after another. */
  payload: readonly Uint8Array[];
}

export interface Journal {
  /**
   * Opens a new segment for writing. `onDurable` is called with entries, in the order of `append`, once they
   * would survive a power cut; their payloads may be gone by then.
   * @throws NerifError `data_damaged` when the segment exists already (its epoch was used before)
   */
  create<E extends JournalEntry>(id: SegmentId, onDurable: (entries: E[]) => void): Promise<SegmentWriter<E>>;
  /**
   * Reads a segment from its start to `end` bytes (null: as far as it is sound), in order. A torn tail is left
   * out silently; damage with sound records behind it is skipped and reported. A segment that does not exist is
   * an empty one. A payload may be looked at only until `onRecord` returns: its bytes are reused.
   */
  scan(id: SegmentId, end: number | null, onRecord: (record: ScannedRecord) => void): Promise<ScanReport>;
  /**
   * Makes the sound records of a segment durable that an earlier holder has left. A sync alone would not do: where one
   * failed before, the system has forgotten what was to be written, shows it still, and lets further syncs succeed. What
   * counts is to be read behind this, as far as it says: of what was read before, some may have been on no disk.
   * @returns what it found; null where all that a scan finds is durable
   * @throws NerifError `disk_full`, `storage_unavailable`; where a write or sync failed, nothing becomes durable on that disk any more
   */
  secure(id: SegmentId): Promise<ScanReport | null>;
  /** Reads payloads by position, after a scan found them. */
  open(id: SegmentId): Promise<SegmentReader>;
  /** Bytes between two payloads that are read along sooner than the second payload is read by itself. */
  readonly gapBytes: number;
  /** Epochs of the segments that exist for a shard, ascending. */
  epochs(batchId: string, shard: number): Promise<number[]>;
  /** Removes every segment of a batch. */
  remove(batchId: string): Promise<void>;
  /** Batches that have segments. */
  batches(): Promise<string[]>;
  /**
   * Bytes appended and not yet durable, over all segments. Where flushes are far apart an entry counts for more than it
   * has, so that whoever waits at a number of bytes also bounds how many entries a crash can take.
   */
  readonly unflushedBytes: number;
  /** Set while the disk is full or the object store takes nothing: entries are kept and written as soon as they can be. */
  readonly stalled: boolean;
  /** Why it is, when it is. */
  readonly stallReason: "disk_full" | "storage_unavailable";
  /** Calls `listener` after each flush and when `stalled` changes, until the returned function is called. */
  onFlush(listener: () => void): () => void;
}

export interface SegmentWriter<E extends JournalEntry> {
  /** Hands an entry over; it is written at the end of this turn of the event loop and synced behind it. */
  append(entry: E): void;
  /** Bytes appended so far, the segment's header included. */
  readonly bytes: number;
  /** Waits until everything appended is durable, then releases the segment. Returns its size in bytes. */
  close(): Promise<number>;
}

export interface ScannedRecord {
  line: number;
  kind: RecordKind;
  attempts: number;
  /** Position of the payload in the segment. */
  offset: number;
  payload: Buffer;
}

export interface ScanReport {
  /** End of the last sound record, in bytes; 0 when not even the segment's header is sound. */
  soundBytes: number;
  records: number;
  /** Stretches of bytes that are no records though sound records follow them. */
  damaged: { offset: number; length: number }[];
}

export interface SegmentReader {
  read(offset: number, length: number): Promise<Buffer>;
  /**
   * Makes durable what the segment held when this was called, whoever wrote it.
   * @throws NerifError `storage_unavailable`; on a disk nothing becomes durable from then on, as after any failed sync
   */
  sync(): Promise<void>;
  close(): Promise<void>;
}
