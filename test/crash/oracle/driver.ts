import type { BatchObject } from "../../../src/batch/batch.ts";
import type { FileObject } from "../../../src/batch/file.ts";
import { transitions } from "../../../src/batch/lifecycle.ts";
import { type Ask, createCall } from "./calls.ts";
import type { History } from "./history.ts";
import type { KnownFile } from "./requests.ts";

/** A client of a server that may die at any moment. Each call answers null when there was no answer, or a refusal. */
export interface Driver {
  upload(file: KnownFile): Promise<FileObject | null>;
  create(fileId: string, window: string): Promise<BatchObject | null>;
  cancel(id: string): Promise<BatchObject | null>;
  look(id: string): Promise<BatchObject | null>;
  remove(fileId: string): Promise<boolean>;
}

/** @param ask to a server that may die at any moment */
export function createDriver(history: History, ask: Ask): Driver {
  const answered = createCall(history, ask);

  async function call<T>(name: string, path: string, init: RequestInit): Promise<T | null> {
    const answer = await answered<T>(name, path, init);
    return answer !== null && answer.status < 300 ? answer.body : null;
  }

  /** What a client sees of a batch never goes back, whatever happened in between. @param before it was asked */
  function see(batch: BatchObject, before: BatchObject): void {
    if (!isReachable(before.status, batch.status)) {
      history.violations.push(`I2 ${batch.id} went from ${before.status} to ${batch.status}`);
    }
    for (const name of ["total", "completed", "failed"] as const) {
      const [then, now] = [before.request_counts[name], batch.request_counts[name]];
      if (now < then) history.violations.push(`I6 ${batch.id}: ${name} fell from ${then} to ${now}`);
    }
  }

  async function batchOf(
    name: string,
    { id, path }: { id: string; path: string },
    init: RequestInit = {},
  ): Promise<BatchObject | null> {
    const known = history.batches.get(id);
    const before = known?.seen;
    const batch = await call<BatchObject>(name, path, init);
    if (batch === null || known === undefined || before === undefined) return batch;
    see(batch, before);
    // Of two calls at the same time, the one that is answered last may have been executed first.
    if (known.seen === before || isReachable(known.seen.status, batch.status)) known.seen = batch;
    return batch;
  }

  return {
    async upload(file) {
      history.sent.set(file.sha256, file);
      const form = new FormData();
      form.set("purpose", "batch");
      form.set("file", new Blob([file.text]), "in.jsonl");
      const stored = await call<FileObject>("upload", "/v1/files", { method: "POST", body: form });
      if (stored !== null) history.files.set(stored.id, { file, removal: "none" });
      return stored;
    },
    async create(fileId, window) {
      const params = { input_file_id: fileId, endpoint: "/v1/chat/completions", completion_window: window };
      const init = { method: "POST", body: JSON.stringify(params) };
      const batch = await call<BatchObject>("create", "/v1/batches", init);
      if (batch !== null) history.batches.set(batch.id, { file: fileId, cancelled: false, seen: batch });
      return batch;
    },
    async cancel(id) {
      const batch = await batchOf("cancel", { id, path: `/v1/batches/${id}/cancel` }, { method: "POST" });
      const known = history.batches.get(id);
      if (batch !== null && known !== undefined) known.cancelled = true;
      return batch;
    },
    look: (id) => batchOf("look", { id, path: `/v1/batches/${id}` }),
    async remove(fileId) {
      const known = history.files.get(fileId);
      if (known === undefined || known.removal !== "none") return false;
      known.removal = "asked";
      const answer = await call<{ deleted: boolean }>("remove", `/v1/files/${fileId}`, { method: "DELETE" });
      if (answer !== null) known.removal = "done";
      return answer !== null;
    },
  };
}

function isReachable(from: BatchObject["status"], to: BatchObject["status"]): boolean {
  return from === to || transitions[from].some((next) => isReachable(next, to));
}
