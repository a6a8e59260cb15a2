import type { Generated, Insertable, Selectable } from "kysely";
import type { BatchStatus, Ending } from "../batch/batch.ts";
import type { Endpoint } from "../batch/limits.ts";
import type { UploadStatus } from "../batch/upload.ts";
import type { ShardState } from "./control-store.ts";

/**
 * The tables, as SQLite and PostgreSQL both have them: integers (below 2^53) and text only. Columns that end in
 * `_json` hold JSON as text, those that start with `is_` hold 0 or 1. What creates them is in `migrations/`.
 */
export interface Schema {
  files: FilesTable;
  batches: BatchesTable;
  batch_pairs: BatchPairsTable;
  shards: ShardsTable;
  api_keys: ApiKeysTable;
  uploads: UploadsTable;
  upload_parts: UploadPartsTable;
  webhook_endpoints: WebhookEndpointsTable;
  webhook_deliveries: WebhookDeliveriesTable;
  idempotency_keys: IdempotencyKeysTable;
  leases: LeasesTable;
  storage: StorageTable;
  nerif_schema: SchemaTable;
}

export interface FilesTable {
  /** Order of insertion: breaks ties between files of one second. */
  seq: Generated<number>;
  id: string;
  project: string;
  bytes: number;
  created_at: number;
  expires_at: number | null;
  filename: string;
  purpose: string;
  sha256: string;
  key: string;
  /** A deleted file stays as a row, so that a client that pages through the list can go on after it. */
  is_deleted: Generated<number>;
  is_removed: Generated<number>;
  api_key: string | null;
  lines: number | null;
}

export interface BatchesTable {
  seq: Generated<number>;
  id: string;
  project: string;
  version: number;
  status: BatchStatus;
  endpoint: Endpoint;
  model: string | null;
  input_file_id: string;
  completion_window: string;
  output_file_id: string | null;
  error_file_id: string | null;
  created_at: number;
  in_progress_at: number | null;
  expires_at: number | null;
  finalizing_at: number | null;
  completed_at: number | null;
  failed_at: number | null;
  expired_at: number | null;
  cancelling_at: number | null;
  cancelled_at: number | null;
  ending: Ending | null;
  total: number;
  /** The counts and usage of a final batch; before that the sums over its shards are shown instead. */
  completed: number;
  failed: number;
  usage_json: string | null;
  errors_json: string | null;
  metadata_json: string | null;
  output_expires_after_json: string | null;
  result_files_json: string | null;
  api_key: string | null;
  /** Its metadata is in `batch_pairs`; 0 in a batch that an older Nerif has inserted. */
  is_noted: Generated<number>;
}

/** Under which pairs of its metadata a batch is found. */
export interface BatchPairsTable {
  /** Of the batch. */
  seq: number;
  /** A hash of key and value. */
  pair: string;
  /** Those of the batch, which never change. */
  project: string;
  created_at: number;
}

export interface ShardsTable {
  batch_id: string;
  shard: number;
  endpoint: string | null;
  model: string | null;
  first_line: number;
  lines: number;
  plan_offset: number;
  state: Generated<ShardState>;
  epoch: Generated<number>;
  holder: string | null;
  /** On the lease clock, in milliseconds. */
  leased_until: number | null;
  segments_json: Generated<string>;
  completed: Generated<number>;
  failed: Generated<number>;
  input_tokens: Generated<number>;
  cached_tokens: Generated<number>;
  output_tokens: Generated<number>;
  reasoning_tokens: Generated<number>;
  total_tokens: Generated<number>;
}

export interface ApiKeysTable {
  seq: Generated<number>;
  id: string;
  project: string;
  name: string;
  hash: string;
  hint: string;
  quotas_json: string;
  created_at: number;
  revoked_at: number | null;
}

export interface UploadsTable {
  id: string;
  project: string;
  api_key: string | null;
  bytes: number;
  created_at: number;
  expires_at: number;
  filename: string;
  purpose: string;
  mime_type: string;
  file_lifetime: number | null;
  status: UploadStatus;
  file_id: string | null;
  part_count: number;
  part_bytes: number;
}

export interface UploadPartsTable {
  id: string;
  upload_id: string;
  bytes: number;
  created_at: number;
}

export interface WebhookEndpointsTable {
  seq: Generated<number>;
  id: string;
  version: number;
  project: string;
  name: string;
  url: string;
  event_types_json: string;
  secret: string;
  old_secret: string | null;
  old_secret_until: number | null;
  created_at: number;
  updated_at: number;
}

/** The outbox: a row goes when its event was delivered or given up. Times in Unix seconds. */
export interface WebhookDeliveriesTable {
  id: string;
  endpoint_id: string;
  event_json: string;
  attempts: number;
  due_at: number;
  /** When the event came about, in Unix seconds. */
  created_at: number;
}

export interface IdempotencyKeysTable {
  project: string;
  key: string;
  fingerprint: string;
  answer_json: string;
  created_at: number;
}

/** Of what one of several processes does at a time. */
export interface LeasesTable {
  name: string;
  holder: string;
  /** On the lease clock, in milliseconds. */
  leased_until: number;
}

export interface StorageTable {
  /** Always 1: there is one row. */
  only: number;
  id: string;
  is_placed: number;
}

export interface SchemaTable {
  version: number;
  name: string;
}

export type FileRow = Selectable<FilesTable>;
export type BatchRow = Selectable<BatchesTable>;
export type NewBatchRow = Insertable<BatchesTable>;
export type ShardRow = Selectable<ShardsTable>;
export type WebhookEndpointRow = Selectable<WebhookEndpointsTable>;
export type ApiKeyRow = Selectable<ApiKeysTable>;
