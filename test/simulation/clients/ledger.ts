import type { BatchObject } from "../../../src/batch/batch.ts";
import type { Input } from "../program/input.ts";

/** What the clients know: what they did, and what they were told. The checks hold the program to it. */
export interface Ledger {
  files: Map<string, KnownFile>;
  batches: Map<string, KnownBatch>;
  /** Batches, by the number in their metadata, that are asked for under an idempotency key. */
  keyed: Set<string>;
}

export interface KnownFile {
  id: string;
  project: string;
  bytes: Buffer;
  input: Input | null;
  /** Told that it is deleted. */
  deletedAt: number | null;
  /** Asked to delete it, without an answer that says whether it is. */
  maybeDeleted: boolean;
}

export interface KnownBatch {
  id: string;
  project: string;
  inputId: string;
  /** The batch whose failed lines it runs again. */
  retryOf: string | null;
  /** When a cancel was answered with success. */
  cancelledAt: number | null;
  maybeCancelled: boolean;
  /** The last that anybody saw of it. */
  seen: BatchObject | null;
  seenAt: number;
  /** Result lines that somebody was given while it ran, by the ids of the lines. */
  results: Map<string, string>;
  /** As it was when it was first seen to be final. */
  final: string | null;
}

export function newKnownBatch(start: Pick<KnownBatch, "id" | "project" | "inputId" | "retryOf">): KnownBatch {
  const unseen = { seen: null, seenAt: 0, results: new Map<string, string>(), final: null };
  return { ...start, ...unseen, cancelledAt: null, maybeCancelled: false };
}

export function createLedger(): Ledger {
  return { files: new Map(), batches: new Map(), keyed: new Set() };
}
