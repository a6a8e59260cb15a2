import type { BatchObject } from "../../../src/batch/batch.ts";
import type { FileObject } from "../../../src/batch/file.ts";
import { transitions } from "../../../src/batch/lifecycle.ts";
import { webhookEventTypes } from "../../../src/batch/webhook.ts";
import type { History } from "./history.ts";
import type { KnownFile } from "./requests.ts";

/** A client of a server that may die at any moment. Each call answers null when there was no answer, or a refusal. */
export interface Driver {
  upload(file: KnownFile): Promise<FileObject | null>;
  /** The same by way of an upload in parts. */
  uploadInParts(file: KnownFile): Promise<FileObject | null>;
  create(fileId: string, window: string): Promise<BatchObject | null>;
  cancel(id: string): Promise<BatchObject | null>;
  look(id: string): Promise<BatchObject | null>;
  remove(fileId: string): Promise<boolean>;
  /** Asks for webhooks. @returns the signing secret */
  listen(url: string): Promise<string | null>;
}

const callMs = 20_000;

/** @param url asked for before each call: a server that starts again listens elsewhere */
export function createDriver(history: History, url: () => string): Driver {
  async function call<T>(name: string, path: string, init: RequestInit): Promise<T | null> {
    history.note({ call: name, path });
    history.pending.add(name);
    try {
      const response = await fetch(`${url()}${path}`, { ...init, signal: AbortSignal.timeout(callMs) });
      const answer = (await response.json()) as T;
      history.note({ answered: name, path, status: response.status, answer });
      if (response.ok) return answer;
      if (response.status === 404)
        history.violations.push(`I2 ${name} ${path}: what was acknowledged is unknown`);
      if (response.status === 500) history.violations.push(`I9 ${name} ${path}: ${JSON.stringify(answer)}`);
      return null;
    } catch (reason) {
      if (reason instanceof Error && reason.name === "TimeoutError") {
        history.violations.push(`I9 ${name} ${path}: no answer in ${callMs} ms`);
      }
      history.note({ unanswered: name, path, reason: String(reason) });
      return null;
    } finally {
      history.pending.delete(name);
    }
  }

  /** What a client sees of a batch never goes back, whatever happened in between. */
  function see(batch: BatchObject): void {
    const known = history.batches.get(batch.id);
    if (known === undefined) return;
    const { seen } = known;
    if (!isReachable(seen.status, batch.status)) {
      history.violations.push(`I2 ${batch.id} went from ${seen.status} to ${batch.status}`);
    }
    for (const name of ["total", "completed", "failed"] as const) {
      const [before, now] = [seen.request_counts[name], batch.request_counts[name]];
      if (now < before) history.violations.push(`I6 ${batch.id}: ${name} fell from ${before} to ${now}`);
    }
    known.seen = batch;
  }

  async function ask(name: string, path: string, init: RequestInit = {}): Promise<BatchObject | null> {
    const batch = await call<BatchObject>(name, path, init);
    if (batch !== null) see(batch);
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
    async uploadInParts(file) {
      history.sent.set(file.sha256, file);
      const bytes = Buffer.from(file.text);
      const upload = {
        purpose: "batch",
        filename: "in.jsonl",
        bytes: bytes.length,
        mime_type: "application/jsonl",
      };
      const begun = await call<{ id: string }>("upload", "/v1/uploads", {
        method: "POST",
        body: JSON.stringify(upload),
      });
      const part_ids: string[] = [];
      // Cut anywhere, lines and all.
      const cuts = [0, Math.ceil(bytes.length / 3), Math.ceil(bytes.length / 2), bytes.length];
      for (let i = 1; begun !== null && i < cuts.length; i += 1) {
        const form = new FormData();
        form.set("data", new Blob([bytes.subarray(cuts[i - 1], cuts[i])]));
        const path = `/v1/uploads/${begun.id}/parts`;
        const part = await call<{ id: string }>("part", path, { method: "POST", body: form });
        if (part === null) return null;
        part_ids.push(part.id);
      }
      if (begun === null) return null;
      const done = await call<{ file: FileObject }>("complete", `/v1/uploads/${begun.id}/complete`, {
        method: "POST",
        body: JSON.stringify({ part_ids }),
      });
      if (done !== null) history.files.set(done.file.id, { file, removal: "none" });
      return done === null ? null : done.file;
    },
    async create(fileId, window) {
      const params = { input_file_id: fileId, endpoint: "/v1/chat/completions", completion_window: window };
      const init = { method: "POST", body: JSON.stringify(params) };
      const batch = await call<BatchObject>("create", "/v1/batches", init);
      if (batch !== null) history.batches.set(batch.id, { file: fileId, cancelled: false, seen: batch });
      return batch;
    },
    async cancel(id) {
      const batch = await ask("cancel", `/v1/batches/${id}/cancel`, { method: "POST" });
      const known = history.batches.get(id);
      if (batch !== null && known !== undefined) known.cancelled = true;
      return batch;
    },
    look: (id) => ask("look", `/v1/batches/${id}`),
    async listen(receiver) {
      const body = JSON.stringify({ name: "receiver", url: receiver, event_types: [...webhookEventTypes] });
      const made = await call<{ signing_secret: string }>("listen", "/v1/webhook_endpoints", {
        method: "POST",
        body,
      });
      return made?.signing_secret ?? null;
    },
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
