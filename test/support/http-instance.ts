import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { FileObject } from "../../src/batch/file.ts";
import { newFileId } from "../../src/batch/ids.ts";
import { failureLine, successLine } from "../../src/batch/result-line.ts";
import { noTokens } from "../../src/batch/usage.ts";
import { type Clock, createSystemClock } from "../../src/engine/clock.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { defaultSettings, type EngineSettings } from "../../src/engine/settings.ts";
import { recordKinds } from "../../src/journal/journal.ts";
import { openStorage } from "../../src/open-storage.ts";
import { createBatchService } from "../../src/service/batches.ts";
import { createFileService } from "../../src/service/files.ts";
import type { Instance } from "../../src/service/instance.ts";
import { createKeyService } from "../../src/service/keys.ts";
import { createByteBudgets } from "../../src/service/quotas.ts";
import { createUploadService } from "../../src/service/uploads.ts";
import { createWebhookService } from "../../src/service/webhooks.ts";
import type { Upstream } from "../../src/upstreams/upstream.ts";
import { createHttpSender } from "../../src/webhooks/http.ts";
import { storageAt } from "./storage.ts";

export const project = "default";

export interface TestInstance extends Instance {
  engine: IdleEngine;
  clock: Clock;
}

/** An engine that executes nothing, so that a test decides what becomes of each batch. */
export interface IdleEngine extends Engine {
  wakes: number;
  starts: number;
  /** What `start` answers. */
  canStart: boolean;
  /** Lets everyone who waits for a change look again. */
  tell(): void;
}

/** Services on a real control store, real files and a real journal of their own. */
export async function openTestInstance({
  clock = createSystemClock(),
  settings = {},
  upstreams = [],
  webhookAllow = [],
  maxFileBytes,
}: {
  clock?: Clock;
  settings?: Partial<EngineSettings>;
  upstreams?: Upstream[];
  webhookAllow?: string[];
  maxFileBytes?: number;
} = {}): Promise<TestInstance> {
  const dataDir = await mkdtemp(join(tmpdir(), "nerif-http-"));
  const places = { ...storageAt(dataDir), dataDir, onFatal: () => {}, onProblem: () => {} };
  const { control, files: fileStore, journal, close: closeStorage } = await openStorage(places);
  const engine = createIdleEngine();
  const budgets = createByteBudgets(control);
  let isClosed = false;
  async function close(): Promise<void> {
    if (isClosed) return;
    isClosed = true;
    await closeStorage();
  }
  onTestFinished(async () => {
    await close();
    await rm(dataDir, { recursive: true, force: true });
  });
  return {
    service: {
      files: createFileService({ control, files: fileStore, clock, budgets, maxFileBytes }),
      uploads: createUploadService({ control, files: fileStore, clock, budgets }),
      keys: createKeyService({ control, clock }),
      batches: createBatchService({
        control,
        files: fileStore,
        budgets,
        journal,
        engine,
        clock,
        settings: { ...defaultSettings, ...settings },
      }),
      webhooks: createWebhookService({ control, sender: createHttpSender({ allow: webhookAllow }), clock }),
    },
    control,
    fileStore,
    journal,
    engine,
    clock,
    lock: { acquire: async () => true, holder: async () => null, release: async () => {} },
    dataDir,
    upstreams: () => upstreams,
    close,
  };
}

function createIdleEngine(): IdleEngine {
  const waiting = new Set<() => void>();
  const engine: IdleEngine = {
    wakes: 0,
    starts: 0,
    canStart: true,
    running: false,
    async start() {
      engine.starts += 1;
      return engine.canStart;
    },
    wake() {
      engine.wakes += 1;
    },
    progress: () => null,
    lanes: () => [],
    changed(timeoutMs, signal) {
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, timeoutMs);
        waiting.add(done);
        signal?.addEventListener("abort", done, { once: true });
      });
    },
    async rest() {},
    async stop() {},
    tell() {
      for (const done of [...waiting]) done();
    },
  };
  return engine;
}

/** Uploads a batch input as a client would. */
export async function uploadInput(instance: Instance, text: string | Buffer): Promise<FileObject> {
  const staged = await instance.service.files.begin();
  await staged.write([Buffer.from(text)]);
  return staged.finish(project, { filename: "input.jsonl", purpose: "batch" });
}

/** An input line without its newline. */
export function requestLine(customId: string, input = "hello"): string {
  const body = { model: "m", input };
  return JSON.stringify({ custom_id: customId, method: "POST", url: "/v1/embeddings", body });
}

/** The line of a result file for a line that succeeded or failed. */
export function resultLine(batchId: string, line: number, fate: "output" | "error" = "output"): Buffer {
  const name = { batchId, line, customId: JSON.stringify(`row-${line}`) };
  const answer = { status: fate === "output" ? 200 : 400, requestId: null, body: Buffer.from("{}") };
  const error = { code: "bad", message: "bad", type: "invalid_request_error" };
  return Buffer.concat(fate === "output" ? successLine(name, answer) : failureLine(name, answer, error));
}

/** Writes results of a leased shard to the journal, as an executor that has just begun does. */
export async function journalResults(
  { control, journal }: Instance,
  batchId: string,
  { shard, lines }: { shard: number; lines: { line: number; fate?: keyof typeof recordKinds }[] },
): Promise<void> {
  await control.insertShards(batchId, [
    {
      shard,
      endpoint: "/v1/embeddings",
      model: `m${shard}`,
      firstLine: shard * 512,
      lines: 512,
      planOffset: 16,
    },
  ]);
  const route = { endpoint: "/v1/embeddings", model: `m${shard}` };
  const [lease] = await control.leaseShards({ batchId, ...route, holder: "test", limit: 1, leaseMs: 60_000 });
  if (lease === undefined) throw new Error("The shard could not be leased");
  const segment = await journal.create({ batchId, shard, epoch: lease.epoch }, () => {});
  for (const { line, fate = "output" } of lines) {
    const payload = [resultLine(batchId, line, fate === "output" ? fate : "error")];
    segment.append({ line, kind: recordKinds[fate], attempts: 1, payload });
  }
  await segment.close();
}

/** Ends a batch as the engine does, with result files of these lines. */
export async function finishBatch(
  { control, fileStore, clock }: TestInstance,
  batchId: string,
  { output = [], error = [], status = "completed" }: FinishedBatch,
): Promise<void> {
  const now = Math.floor(clock.now() / 1000);
  const batch = await control.getBatch(null, batchId);
  if (batch === null) throw new Error("There is no such batch");
  const files = [];
  const ids = { output: null as string | null, error: null as string | null };
  for (const fate of ["output", "error"] as const) {
    const lines = fate === "output" ? output : error;
    if (lines.length === 0) continue;
    const id = newFileId();
    const writer = await fileStore.create(id);
    await writer.write(lines.flatMap((line) => [resultLine(batchId, line, fate), Buffer.from("\n")]));
    const { bytes, sha256 } = await writer.commit();
    const filename = `${batchId}_${fate}.jsonl`;
    const record = {
      id,
      project: batch.project,
      bytes,
      created_at: now,
      expires_at: null,
      filename,
      purpose: "batch_output",
    };
    files.push({ ...record, sha256, key: id, api_key: null, lines: null });
    ids[fate] = id;
  }
  const counts = { total: output.length + error.length, completed: output.length, failed: error.length };
  const patch = { status, output_file_id: ids.output, error_file_id: ids.error, request_counts: counts };
  await control.updateBatch(batchId, batch.version, patch, { files });
}

interface FinishedBatch {
  output?: number[];
  error?: number[];
  status?: "completed" | "expired" | "cancelled";
}

/** Counters of an answer that cost nothing. */
export const nothing = { completed: 0, failed: 0, tokens: noTokens() };

export async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
}
