import type { Batch, BatchStatus } from "../batch/batch.ts";
import type { StoredFile } from "../batch/file.ts";
import type { BatchPatch } from "../batch/lifecycle.ts";
import type { Tokens } from "../batch/usage.ts";
import type { WebhookEvent } from "../batch/webhook.ts";
import type { ApiKeyRecords } from "./api-key-records.ts";
import type { BatchCountRecords } from "./batch-count-records.ts";
import type { HeldRecords } from "./held-records.ts";
import type { IdempotencyRecords } from "./idempotency-records.ts";
import type { InsertBatchOptions, InsertOptions } from "./insert-options.ts";
import type { LeaseRecords } from "./lease-records.ts";
import type { NotingRecords } from "./noting-records.ts";
import type { StorageRecords } from "./storage-records.ts";
import type { UploadRecords } from "./upload-records.ts";
import type { WebhookRecords } from "./webhook-records.ts";

/**
 * The truth about files, batches, shards and leases. Rows grow with shards, never with lines. It knows no rule
 * of the lifecycle: it compares versions and epochs, and sets what it is given.
 *
 * Every method throws NerifError `storage_unavailable` when the database cannot be reached or stays locked.
 */
export interface ControlStore
  extends ApiKeyRecords,
    BatchCountRecords,
    HeldRecords,
    IdempotencyRecords,
    LeaseRecords,
    NotingRecords,
    StorageRecords,
    UploadRecords,
    WebhookRecords {
  /** @throws NerifError `file_exists` when there is or was a file with this id, and those of the options */
  insertFile(file: StoredFile, options?: InsertOptions): Promise<void>;
  /** Null when there is none, or it belongs to another project, or it was deleted. `project` null: any. */
  getFile(project: string | null, id: string): Promise<StoredFile | null>;
  /**
   * Newest first, or oldest first with `order: "asc"`; stable inside one second. Starts after the file `after`,
   * which may have been deleted since. Files that are expired at `now` (Unix seconds) are left out.
   * @throws NerifError `cursor_not_found`
   */
  listFiles(query: FileQuery): Promise<StoredFile[]>;
  /** Marks a file as deleted; false when there is none, or a batch that is not final reads it. */
  deleteFile(project: string, id: string): Promise<boolean>;
  /**
   * Files of any project that are deleted, or expired at `now`, and whose bytes were not yet removed. Those that
   * a batch that is not final reads are left out.
   */
  removableFiles(now: number, limit: number): Promise<StoredFile[]>;
  /** Notes that the bytes of a file are gone. */
  markBytesRemoved(id: string): Promise<void>;
  /** Those of up to 1,000 keys of the file store that a file with bytes or a part of an upload names. */
  namedKeys(keys: readonly string[]): Promise<string[]>;

  /** @throws NerifError `input_file_gone` when its input file was deleted, and those of the options */
  insertBatch(batch: Batch, options?: InsertBatchOptions): Promise<void>;
  /** While a batch runs, `completed`, `failed` and `usage` are the sums over its shards. */
  getBatch(project: string | null, id: string): Promise<Batch | null>;
  /**
   * Newest first, starting after the batch `after`, whether or not that one is among those asked for.
   * @throws NerifError `cursor_not_found`
   */
  listBatches(query: BatchQuery): Promise<Batch[]>;
  /**
   * Batches that are not final, oldest deadline first, then oldest. There may be very many.
   * @param limit default: all
   */
  unfinishedBatches(limit?: number): Promise<UnfinishedBatch[]>;
  /** Those of them that are being cancelled, whose deadline is over at `now` (Unix seconds), or that are ending. */
  endingBatches(now: number): Promise<UnfinishedBatch[]>;
  /** Whether a batch that is not final reads this file. */
  isInputInUse(fileId: string): Promise<boolean>;
  /**
   * Applies `patch`, and what belongs to it, in one transaction if the batch still has `version`, and raises the
   * version.
   * @returns the batch as it is now, or null when another writer was first
   */
  updateBatch(id: string, version: number, patch: BatchPatch, more?: WithUpdate): Promise<Batch | null>;
  /** Removes a batch and its shards for good. */
  deleteBatch(id: string): Promise<void>;

  /**
   * Adds shards, up to 1,000 in a call, all or none; shards that are there already (same batch and number) are
   * replaced, and leases of the old ones are void.
   * @param options.version only while the batch has this version; default: whatever it has
   * @returns false when it has another
   */
  insertShards(batchId: string, shards: NewShard[], options?: { version?: number }): Promise<boolean>;
  /** Removes all shards of a batch: validation begins again. The option is that of `insertShards`. */
  deleteShards(batchId: string, options?: { version?: number }): Promise<boolean>;
  /** Shards of a batch in the order of their first lines: the next `limit` of those whose first line is above `after` (-1: all). */
  shardsInOrder(batchId: string, after: number, limit: number): Promise<Shard[]>;
  /** The routes of a batch that have shards without a final state, with the number of such shards. */
  openRoutes(batchId: string): Promise<{ endpoint: string | null; model: string | null; shards: number }[]>;
  /**
   * Leases up to `limit` shards of one route of a batch, lowest number first: those without a holder, and those
   * of another holder whose lease has run out. In one statement; raises each epoch by one.
   */
  leaseShards(request: LeaseRequest): Promise<Shard[]>;
  /**
   * Prolongs a lease, also one that has run out but that nobody else has taken, and writes the counts so far.
   * False when the epoch is no longer the holder's.
   */
  renewLease(lease: ShardLease, leaseMs: number, tally: ShardTally): Promise<boolean>;
  /** Notes under this lease which older segments count. False when the epoch is no longer the holder's. */
  noteSegments(lease: ShardLease, segments: NotedSegment[]): Promise<boolean>;
  /** Hands a shard back unfinished. False when the epoch is no longer the holder's. */
  releaseShard(lease: ShardLease, segments: NotedSegment[], tally: ShardTally): Promise<boolean>;
  /** Marks a shard as done. False when the epoch is no longer the holder's. */
  finishShard(lease: ShardLease, segments: NotedSegment[], tally: ShardTally): Promise<boolean>;
  /** Makes a finished shard open again because its journal turned out to be damaged. */
  reopenShard(batchId: string, shard: number): Promise<void>;
  /** Takes every lease back. Only for the one executor of a data directory, right after it got the lock. */
  revokeLeases(): Promise<void>;

  /** A number that changes when any process has written. Cheap enough to ask five times a second. */
  changeCounter(): Promise<number>;
  /** Waits for what is running; later calls are refused. Safe to call again. */
  close(): Promise<void>;
}

/** What is recorded together with a change of a batch. */
export interface WithUpdate {
  files?: StoredFile[];
  /** For every webhook endpoint of the batch's project that wants events of this type; due at once. */
  event?: WebhookEvent | null;
}

export interface FileQuery {
  project: string;
  now: number;
  limit: number;
  order: "asc" | "desc";
  purpose?: string | undefined;
  after?: string | undefined;
}

/** What an executor has to know of all batches at any time. */
export type UnfinishedBatch = Pick<
  Batch,
  "id" | "project" | "status" | "ending" | "expires_at" | "result_files"
>;

export interface BatchQuery {
  /** Null: every project. */
  project: string | null;
  limit: number;
  after?: string | undefined;
  status?: BatchStatus | undefined;
  /** Only batches created later than this, in Unix seconds. */
  created_after?: number | undefined;
  /** Only batches created earlier than this, in Unix seconds. */
  created_before?: number | undefined;
  /** Only batches whose metadata has all of these pairs, letter for letter. */
  metadata?: Readonly<Record<string, string>> | undefined;
}

export interface NewShard {
  /** Number of the shard in its batch, from 0. */
  shard: number;
  /** Null in a shard that lines of several routes share. */
  endpoint: string | null;
  model: string | null;
  firstLine: number;
  lines: number;
  /** Where the shard's block begins in the plan, in bytes. */
  planOffset: number;
}

export type ShardState = "open" | "leased" | "done";

export interface Shard extends NewShard, ShardTally {
  batchId: string;
  state: ShardState;
  epoch: number;
  holder: string | null;
  segments: NotedSegment[];
}

/** An older holder's segment that counts, and how far it does. */
export interface NotedSegment {
  epoch: number;
  bytes: number;
}

export interface ShardLease {
  batchId: string;
  shard: number;
  epoch: number;
}

export interface ShardTally {
  completed: number;
  failed: number;
  tokens: Tokens;
}

export interface LeaseRequest {
  batchId: string;
  endpoint: string | null;
  model: string | null;
  /** Names one executor for as long as it lives; what it holds is never leased to it again. */
  holder: string;
  limit: number;
  leaseMs: number;
  /** Only the shard with this number; `endpoint` and `model` are not looked at then. */
  shard?: number | undefined;
  /** Only while the batch has this version: nothing is leased of a batch that is just being ended. Default: any. */
  version?: number | undefined;
}

/** The right to execute the batches of a data directory; held by one process at a time, unless it is shared. */
export interface ExecutorLock {
  /** Any number of processes have it at once: leases alone decide who does what. Default false. */
  readonly shared?: boolean;
  /** True when this process has it now. */
  acquire(): Promise<boolean>;
  /** Who has it, for messages; null when nobody does or it cannot be told. */
  holder(): Promise<{ pid: number; command: string; since: string } | null>;
  release(): Promise<void>;
}
