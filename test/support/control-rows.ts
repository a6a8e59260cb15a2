import { randomBytes } from "node:crypto";
import { noQuotas, type StoredApiKey } from "../../src/batch/api-key.ts";
import type { Batch } from "../../src/batch/batch.ts";
import type { StoredFile } from "../../src/batch/file.ts";
import { newBatchId, newFileId, newId } from "../../src/batch/ids.ts";
import { newBatch } from "../../src/batch/lifecycle.ts";
import type { StoredPart, StoredUpload } from "../../src/batch/upload.ts";
import { type StoredWebhookEndpoint, type WebhookEvent, webhookEventTypes } from "../../src/batch/webhook.ts";
import type { NewShard, ShardTally } from "../../src/control/control-store.ts";

/** A file as the control store keeps it, of 2026-01-01 if not told otherwise. */
export function aFile(more: Partial<StoredFile> = {}): StoredFile {
  const id = newFileId();
  return {
    id,
    project: "default",
    bytes: 3_000_000_000,
    created_at: 1_767_225_600,
    expires_at: null,
    filename: "input.jsonl",
    purpose: "batch",
    sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    key: id,
    api_key: null,
    lines: null,
    ...more,
  };
}

/** An upload that was just created, on 2026-01-01, and lives for an hour. */
export function anUpload(more: Partial<StoredUpload> = {}): StoredUpload {
  return {
    id: newId("upload"),
    project: "default",
    api_key: null,
    bytes: 6_000_000_000,
    created_at: 1_767_225_600,
    expires_at: 1_767_229_200,
    filename: "large.jsonl",
    purpose: "batch",
    mime_type: "application/jsonl",
    file_lifetime: null,
    status: "pending",
    file_id: null,
    part_count: 0,
    part_bytes: 0,
    ...more,
  };
}

export function aPart(upload: StoredUpload, more: Partial<StoredPart> = {}): StoredPart {
  return { id: newId("part"), upload_id: upload.id, bytes: 100, created_at: upload.created_at, ...more };
}

/** A batch that was just created. */
export function aBatch(more: Partial<Batch> = {}): Batch {
  const start = newBatch({
    id: newBatchId(1_767_225_600),
    project: "default",
    api_key: null,
    endpoint: "/v1/chat/completions",
    input_file_id: newFileId(),
    completion_window: "24h",
    created_at: 1_767_225_600,
    expires_at: 1_767_312_000,
    metadata: null,
    output_expires_after: null,
  });
  return { ...start, ...more };
}

/** A batch whose lines are being run. */
export function aRunningBatch(more: Partial<Batch> = {}): Batch {
  return aBatch({
    status: "in_progress",
    in_progress_at: 1_767_225_601,
    request_counts: { total: 1_000_000, completed: 0, failed: 0 },
    ...more,
  });
}

/** Shards `from` to before `to` of one route, 512 lines each. */
export function someShards(from: number, to: number, more: Partial<NewShard> = {}): NewShard[] {
  return Array.from({ length: to - from }, (_, index) => ({
    shard: from + index,
    endpoint: "/v1/chat/completions",
    model: "m",
    firstLine: (from + index) * 512,
    lines: 512,
    planOffset: 16 + (from + index) * (12 + 512 * 32),
    ...more,
  }));
}

/** `completed` and `failed` lines, each completed one with 10 tokens in, 1 of them cached, and 5 out, 2 of them reasoning. */
export function aTally(completed: number, failed = 0): ShardTally {
  return {
    completed,
    failed,
    tokens: {
      input: 10 * completed,
      cached: completed,
      output: 5 * completed,
      reasoning: 2 * completed,
      total: 15 * completed,
    },
  };
}

/** A receiver of all events of project `default`, of 2026-01-01 if not told otherwise. */
export function aWebhookEndpoint(more: Partial<StoredWebhookEndpoint> = {}): StoredWebhookEndpoint {
  return {
    id: newId("webhook_endpoint"),
    version: 1,
    project: "default",
    name: "receiver",
    url: "https://hooks.example.net/nerif",
    event_types: [...webhookEventTypes],
    secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    old_secret: null,
    old_secret_until: null,
    created_at: 1_767_225_600,
    updated_at: 1_767_225_600,
    ...more,
  };
}

/** The news that a batch is completed. */
export function anEvent(batchId: string, more: Partial<WebhookEvent> = {}): WebhookEvent {
  return {
    id: newId("webhook_event"),
    object: "event",
    type: "batch.completed",
    created_at: 1_767_225_700,
    data: { id: batchId },
    ...more,
  };
}

/** A key that may use as much as there is. */
export function anApiKey(more: Partial<StoredApiKey> = {}): StoredApiKey {
  return {
    id: newId("api_key"),
    project: "default",
    name: "key",
    hash: randomBytes(32).toString("hex"),
    hint: "abcd",
    quotas: noQuotas,
    created_at: 1_767_225_600,
    revoked_at: null,
    ...more,
  };
}
