import type { BatchStatus } from "../../../src/batch/batch.ts";

/** What a batch is about, as far as its end depends on it. */
export interface BatchKind {
  /** Lines that are answered at once. */
  answered: number;
  /** Lines that are refused at once. */
  refused: number;
  /** Lines whose answer takes longer than a short window. */
  slow: number;
  /** A line is wrong: the batch has to fail. */
  isBad: boolean;
  /** Seconds; a short one is over before slow lines have their answers. */
  window: 5 | 86_400;
}

/** Everything that can end by itself has ended so long after it was last disturbed. */
const settledMs = 60_000;

/** A batch as the contract has it. All times are in milliseconds of virtual time. */
export interface ModelBatch {
  id: string;
  inputId: string;
  kind: BatchKind;
  lines: number;
  createdAt: number;
  /** When something last made it begin anew. */
  disturbedAt: number;
  cancelled: boolean;
  /** The status that was seen last. */
  status: BatchStatus;
  /** The object as it was first seen final. */
  final: string | null;
}

export interface Model {
  batches: ModelBatch[];
  /** Input files that were deleted. */
  deleted: Set<string>;
}

export const finalStatuses: readonly BatchStatus[] = ["completed", "failed", "expired", "cancelled"];

/** Statuses that the contract allows a batch to have now. */
export function allowed(batch: ModelBatch, now: number): readonly BatchStatus[] {
  if (batch.final !== null) return [batch.status];
  const settled = now - batch.disturbedAt > settledMs;
  if (batch.cancelled) return settled ? ["cancelled"] : ["cancelling", "cancelled"];
  if (batch.kind.isBad) return settled ? ["failed"] : ["validating", "failed", ...ifOver(batch, now)];
  // Whoever was away, or slow, may find the window over although there was little to do.
  const end: BatchStatus[] = batch.kind.slow > 0 && batch.kind.window === 5 ? ["expired"] : ["completed"];
  if (settled) return [...end, ...(end[0] === "completed" ? ifOver(batch, now) : [])];
  return ["validating", "in_progress", "finalizing", ...end, ...ifOver(batch, now)];
}

function ifOver({ createdAt, kind }: ModelBatch, now: number): BatchStatus[] {
  // Times are in whole seconds.
  return now - createdAt >= (kind.window - 1) * 1_000 ? ["expired"] : [];
}
