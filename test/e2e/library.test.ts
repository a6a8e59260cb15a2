import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { Batch, BatchFile, type BatchResult, createNerif, type Nerif } from "../../src/index.ts";
import { createSimulator } from "../../src/testing.ts";
import { chats } from "../support/library-requests.ts";
import { startGatedUpstream } from "../support/library-upstream.ts";
import { storageAt } from "../support/storage.ts";

const chat = "/v1/chat/completions";
let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "nerif-library-"));
  vi.stubEnv("NERIF_DATA_DIR", join(dataDir, "default"));
  for (const name of ["NERIF_UPSTREAM", "OPENAI_BASE_URL", "OPENAI_API_KEY"]) vi.stubEnv(name, undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dataDir, { recursive: true, force: true });
});

test("Batch runs a chat line and an embeddings line of one file, as the quick start does it", async () => {
  await using model = await startSimulator();
  vi.stubEnv("NERIF_UPSTREAM", model.url);
  const batchFile = new BatchFile();
  const input = await batchFile.createBatchFile([
    ...chats(["What is the capital of France?"]),
    {
      custom_id: "request-2",
      method: "POST",
      url: "/v1/embeddings",
      body: { model: "e", input: "Hello world" },
    },
  ]);
  expect(input).toMatchObject({ object: "file", purpose: "batch" });

  const created = await Batch.create({
    input_file_id: input.id,
    endpoint: chat,
    completion_window: "24h",
    metadata: { description: "My batch job" },
  });
  expect(created).toMatchObject({ object: "batch", status: "validating", completion_window: "24h" });
  const batch = await untilFinal(created.id);

  expect(batch).toMatchObject({
    status: "completed",
    model: null,
    metadata: { description: "My batch job" },
    request_counts: { total: 2, completed: 2, failed: 0 },
    error_file_id: null,
  });
  const [first, second] = await batchFile.readBatchFile(String(batch.output_file_id));
  expect(first).toMatchObject({ custom_id: "line-0", response: { status_code: 200 }, error: null });
  expect(second).toMatchObject({
    custom_id: "request-2",
    response: { status_code: 200, body: { object: "list", data: [{ object: "embedding" }] } },
  });
});

test("Batch finds ids on the path that a BatchFile was opened on, beside those of the default one", async () => {
  await using model = await startSimulator();
  vi.stubEnv("NERIF_UPSTREAM", model.url);
  const byDefault = await new BatchFile().createBatchFile(chats(["a"]));
  const custom = new BatchFile({ filePath: join(dataDir, "custom") });
  const byPath = await custom.createBatchFile(chats(["b"]));
  const { id: byString } = await new BatchFile(join(dataDir, "third")).createBatchFile(chats(["c"]));

  const batches = [];
  for (const input_file_id of [byDefault.id, byPath.id, byString]) {
    batches.push(await Batch.create({ input_file_id, endpoint: chat }));
  }
  const done = await Promise.all(batches.map(({ id }) => untilFinal(id)));
  expect(done.map(({ status }) => status)).toEqual(["completed", "completed", "completed"]);
  expect(await custom.readBatchFile(String(done[1]?.output_file_id))).toHaveLength(1);
  await expect(custom.readBatchFile(String(done[0]?.output_file_id))).rejects.toMatchObject({
    code: "file_not_found",
  });

  // Every batch is on one page or the next, and has_more says so.
  const pages = [];
  for (let after: string | undefined; ; ) {
    const page = await Batch.list({ limit: 2, ...(after === undefined ? {} : { after }) });
    pages.push(page);
    if (!page.has_more) break;
    after = String(page.last_id);
  }
  const listed = pages.flatMap(({ data }) => data.map(({ id }) => id));
  expect(listed).toEqual(expect.arrayContaining(batches.map(({ id }) => id)));
  expect(new Set(listed).size).toBe(listed.length);
});

test("Batch says what to look for when an id is in no directory", async () => {
  const files = new BatchFile(join(dataDir, "custom"));
  await files.createBatchFile(chats(["a"]));
  const id = `batch_${"0".repeat(32)}`;
  await expect(Batch.retrieve(id)).rejects.toMatchObject({ name: "NerifError", code: "batch_not_found" });
  await expect(Batch.cancel(id)).rejects.toMatchObject({ code: "batch_not_found" });
  await expect(Batch.list({ after: id })).rejects.toMatchObject({ code: "cursor_not_found" });
  await expect(Batch.list({ limit: 101 })).rejects.toMatchObject({ code: "integer_above_max_value" });
});

test("Batch.list() refuses a limit that is no number", async () => {
  // As a program without types has it from an address.
  const limit = "5" as unknown as number;
  await expect(Batch.list({ limit })).rejects.toMatchObject({ code: "invalid_type", param: "limit" });
});

test.each([
  [{ dataDir: "" }, "Cannot use the data directory: it must be a path, and not an empty one"],
  [{ requestTimeoutMs: -1 }, "Cannot use requestTimeoutMs: it is -1 and must be more than 0"],
])("createNerif() with %j refuses to create a batch", async (options, message) => {
  await using nerif = createNerif({ dataDir, upstream: "http://localhost:1/v1", ...options });
  const created = nerif.batches.create({ input_file_id: "", endpoint: "/v1/embeddings" });
  await expect(created).rejects.toMatchObject({ code: "invalid_configuration", message });
});

test("Batch.create() refuses when nobody could execute the batch, and says what to set", async () => {
  const input = await new BatchFile(join(dataDir, "lonely")).createBatchFile(chats(["a"]));
  await expect(Batch.create({ input_file_id: input.id, endpoint: chat })).rejects.toMatchObject({
    code: "upstream_not_configured",
    message: expect.stringContaining("NERIF_UPSTREAM"),
  });
});

test("createNerif() runs a batch, tells its progress and keeps the order of the input", async () => {
  await using model = await startSimulator();
  await using nerif = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const prompts = Array.from({ length: 1200 }, (_, index) => `prompt ${index}`);
  const input = await nerif.files.createBatchFile(chats(prompts));
  const { id } = await nerif.batches.create({ input_file_id: input.id, endpoint: chat });
  const seen: number[] = [];
  const batch = await nerif.batches.wait(id, {
    onProgress: ({ request_counts }) => seen.push(request_counts.completed),
  });
  expect(batch).toMatchObject({ status: "completed", model: "m", request_counts: { completed: 1200 } });
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  const lines = await nerif.files.readBatchFile(String(batch.output_file_id));
  expect(lines.map(({ custom_id }) => custom_id)).toEqual(prompts.map((_, index) => `line-${index}`));
});

test("results() gives each line as it is done, those of a running batch too", async () => {
  await using model = await startGatedUpstream();
  await using nerif = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const id = await begin(nerif, ["one", "hold two", "fail three"]);
  await model.held(1);
  const results: BatchResult[] = [];
  for await (const line of nerif.batches.results(id)) {
    results.push(line);
    if (results.length < 2) continue;
    // The two others are here while one is still held back.
    model.release();
  }
  expect((await nerif.batches.retrieve(id)).status).toBe("completed");
  expect(results.map(({ custom_id }) => custom_id).toSorted()).toEqual(["line-0", "line-1", "line-2"]);
  expect(results.at(-1)).toMatchObject({ custom_id: "line-1", error: null });
  expect(results.find(({ custom_id }) => custom_id === "line-2")).toMatchObject({
    response: { status_code: 400 },
    error: { code: "nothing", message: "no such thing" },
  });
});

test("results() of a batch that nobody executes any more goes on with it", async () => {
  await using model = await startGatedUpstream();
  const first = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const id = await begin(first, ["hold one"]);
  await model.held(1);
  await first.close({ graceMs: 0 });
  model.release();
  await using second = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const results: BatchResult[] = [];
  for await (const line of second.batches.results(id)) results.push(line);
  expect(results.map(({ custom_id }) => custom_id)).toEqual(["line-0"]);
});

test("results() without follow ends with what is done", async () => {
  await using model = await startGatedUpstream();
  await using nerif = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const id = await begin(nerif, ["one", "hold two"]);
  await model.held(1);
  // Following tells when the first line is durable.
  for await (const _ of nerif.batches.results(id)) break;
  const results: BatchResult[] = [];
  for await (const line of nerif.batches.results(id, { follow: false })) results.push(line);
  expect(results.map(({ custom_id }) => custom_id)).toEqual(["line-0"]);
  model.release();
  await nerif.batches.wait(id);
});

test.for([
  { length: "no end", graceMs: Number.POSITIVE_INFINITY },
  { length: "more days than a timer can hold", graceMs: 2 ** 31 },
])("close() with a grace of $length lets calls in flight end", async ({ graceMs }) => {
  await using model = await startGatedUpstream();
  // Node says so where a timer takes what it cannot hold for no time at all.
  const warnings: string[] = [];
  const note = ({ name }: Error) => void warnings.push(name);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  const first = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const id = await begin(first, ["hold one"]);
  await model.held(1);
  const closed = first.close({ graceMs });
  model.release();
  await closed;
  await using second = createNerif({ ...storageAt(dataDir), upstream: model.url });
  expect((await second.batches.wait(id)).request_counts.completed).toBe(1);
  expect(model.prompts).toEqual(["hold one"]);
  expect(warnings).not.toContain("TimeoutOverflowWarning");
});

test("retry() runs the failed lines alone in a new batch", async () => {
  await using model = await startGatedUpstream();
  await using nerif = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const first = await nerif.batches.wait(await begin(nerif, ["one", "fail two", "three"]));
  expect(first.request_counts).toEqual({ total: 3, completed: 2, failed: 1 });
  model.failing = false;
  const { id, metadata } = await nerif.batches.retry(first.id);
  expect(metadata).toMatchObject({ retry_of: first.id });
  const second = await nerif.batches.wait(id);
  expect(second.request_counts).toEqual({ total: 1, completed: 1, failed: 0 });
  expect(model.prompts.toSorted()).toEqual(["fail two", "fail two", "one", "three"]);
});

test("cancel() ends a batch, and keeps what was done", async () => {
  await using model = await startGatedUpstream();
  await using nerif = createNerif({
    ...storageAt(dataDir),
    upstream: model.url,
    settings: { cancelGraceMs: 0 },
  });
  const id = await begin(nerif, ["one", "hold two"]);
  await model.held(1);
  for await (const _ of nerif.batches.results(id)) break;
  await nerif.batches.cancel(id);
  const batch = await nerif.batches.wait(id);
  expect(batch).toMatchObject({ status: "cancelled", request_counts: { total: 2, completed: 1, failed: 0 } });
  const [error] = await nerif.files.readBatchFile(String(batch.error_file_id));
  expect(error).toMatchObject({ custom_id: "line-1", error: { code: "batch_cancelled" } });
});

test("wait() ends with its signal and leaves the batch running", async () => {
  await using model = await startGatedUpstream();
  await using nerif = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const id = await begin(nerif, ["hold one"]);
  await model.held(1);
  const waiting = new AbortController();
  const waited = nerif.batches.wait(id, { signal: waiting.signal });
  waiting.abort();
  await expect(waited).rejects.toMatchObject({ code: "aborted" });
  model.release();
  expect((await nerif.batches.wait(id)).status).toBe("completed");
});

test("a closed instance refuses to go on, and the next one finishes its batch", async () => {
  await using model = await startGatedUpstream();
  const first = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const id = await begin(first, ["one", "hold two"]);
  await model.held(1);
  for await (const _ of first.batches.results(id)) break;
  await first.close({ graceMs: 0 });
  await expect(first.batches.retrieve(id)).rejects.toMatchObject({ code: "shutting_down" });

  model.release();
  await using second = createNerif({ ...storageAt(dataDir), upstream: model.url });
  const batch = await second.batches.wait(id);
  expect(batch.request_counts).toEqual({ total: 2, completed: 2, failed: 0 });
  // What was durable is not sent again; what was in flight is.
  expect(model.prompts.toSorted()).toEqual(["hold two", "hold two", "one"]);
});

test("an instance works on a batch of another one that is closed", async () => {
  await using model = await startGatedUpstream();
  const first = createNerif({ ...storageAt(dataDir), upstream: model.url });
  await using second = createNerif({ ...storageAt(dataDir), upstream: model.url });
  await begin(first, ["hold one"]);
  await model.held(1);
  const id = await begin(second, ["two"]);
  // The first executes for both, until it is gone.
  expect((await second.batches.wait(id)).status).toBe("completed");
  const last = await begin(second, ["hold three"]);
  await model.held(2);
  await first.close({ graceMs: 0 });
  model.release();
  expect((await second.batches.wait(last)).status).toBe("completed");
});

async function begin(nerif: Nerif, prompts: readonly string[]): Promise<string> {
  const input = await nerif.files.createBatchFile(chats(prompts));
  return (await nerif.batches.create({ input_file_id: input.id, endpoint: chat })).id;
}

async function untilFinal(id: string) {
  for (;;) {
    const batch = await Batch.retrieve(id);
    if (["completed", "failed", "expired", "cancelled"].includes(batch.status)) return batch;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function startSimulator(): Promise<AsyncDisposable & { url: string }> {
  const simulator = createSimulator();
  const { url } = await simulator.listen();
  return { url, [Symbol.asyncDispose]: () => simulator.close() };
}
