import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import type { BatchObject } from "../../../src/batch/batch.ts";
import type { KnownFile } from "./requests.ts";

/**
 * What a client was told, and what it asked for without an answer. Each call and each answer is on the disk before
 * the next call, so that a failed round can be read afterwards.
 */
export interface History {
  /** Every file whose bytes were sent, by their sum; those without an answer may be there or not. */
  sent: Map<string, KnownFile>;
  /** Files that were acknowledged, by id. */
  files: Map<string, { file: KnownFile; removal: "none" | "asked" | "done" }>;
  /** Batches that were acknowledged, by id. */
  batches: Map<string, { file: string; cancelled: boolean; seen: BatchObject }>;
  /** What broke a promise the moment it was seen. */
  violations: string[];
  /** Calls under way. */
  pending: Set<string>;
  note(entry: object): void;
  close(): void;
}

export function openHistory(path: string): History {
  const log = openSync(path, "a");
  return {
    sent: new Map(),
    files: new Map(),
    batches: new Map(),
    violations: [],
    pending: new Set(),
    note(entry) {
      writeSync(log, `${JSON.stringify({ at: Date.now(), ...entry })}\n`);
      fsyncSync(log);
    },
    close: () => closeSync(log),
  };
}
