import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { storageAt } from "../../test/support/storage.ts";
import { storedKeys } from "../../test/support/stored.ts";
import { createNerif, type Nerif } from "./nerif.ts";
import type { BatchRequest } from "./types.ts";

let dataDir: string;
let nerif: Nerif;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "nerif-files-"));
  nerif = createNerif({ ...storageAt(dataDir), settings: { maxLineBytes: 1_000 } });
});

afterEach(async () => {
  await nerif.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const good: BatchRequest = {
  custom_id: "a",
  method: "POST",
  url: "/v1/embeddings",
  body: { model: "m", input: "café" },
};
const givenId = "file-abcdefghijklmnopqrstuv";

test.each<[string, () => Parameters<Nerif["files"]["createBatchFile"]>[0]]>([
  ["an array", () => [good, { ...good, custom_id: "b" }]],
  ["a set", () => new Set([good, { ...good, custom_id: "b" }])],
  ["a generator", () => generate()],
  ["an async generator", () => generateAsync()],
  ["a stream", () => ReadableStream.from(generateAsync())],
])("createBatchFile() writes the requests of %s", async (_name, requests) => {
  const file = await nerif.files.createBatchFile(requests());
  expect(file).toMatchObject({ object: "file", purpose: "batch", status: "processed" });
  expect(await nerif.files.readBatchFile(file.id)).toEqual([good, { ...good, custom_id: "b" }]);
  const text = await (await nerif.files.content(file.id)).text();
  expect(Buffer.byteLength(text)).toBe(file.bytes);
  expect(text).toBe(`${JSON.stringify(good)}\n${JSON.stringify({ ...good, custom_id: "b" })}\n`);
});

function* generate() {
  yield good;
  yield { ...good, custom_id: "b" };
}

async function* generateAsync() {
  yield* generate();
}

test.each<[string, unknown, { code: string; param: string; message: RegExp }]>([
  [
    "without custom_id",
    { ...good, custom_id: undefined },
    { code: "missing_required_parameter", param: "requests[1].custom_id", message: /request 1: .*custom_id/ },
  ],
  [
    "with GET",
    { ...good, method: "GET" },
    { code: "invalid_method", param: "requests[1].method", message: /request 1: .*GET/ },
  ],
  [
    "to an unknown url",
    { ...good, url: "/v1/images" },
    { code: "invalid_url", param: "requests[1].url", message: /\/v1\/images/ },
  ],
  [
    "without model",
    { ...good, body: { input: "x" } },
    { code: "invalid_request", param: "requests[1].body.model", message: /request 1/ },
  ],
  [
    "that streams",
    { ...good, body: { model: "m", stream: true } },
    { code: "streaming_unsupported", param: "requests[1].body.stream", message: /request 1/ },
  ],
  [
    "longer than the limit",
    { ...good, body: { model: "m", input: "x".repeat(1_000) } },
    { code: "line_too_large", param: "requests[1]", message: /1,?000/ },
  ],
  [
    "that is null",
    null,
    { code: "invalid_type", param: "requests[1]", message: /request 1: it is not an object/ },
  ],
  [
    "that is no JSON",
    { ...good, body: { model: 1n } },
    { code: "invalid_type", param: "requests[1]", message: /request 1: it cannot be turned into JSON/ },
  ],
])(
  "createBatchFile() refuses a request %s with its index, and leaves no bytes",
  async (_name, bad, error) => {
    const refused = nerif.files.createBatchFile([good, bad as BatchRequest, good]);
    await expect(refused).rejects.toMatchObject({
      name: "NerifError",
      code: error.code,
      param: error.param,
      message: expect.stringMatching(error.message),
    });
    expect((await nerif.files.list()).data).toEqual([]);
    expect(await bytesOnDisk()).toEqual([]);
  },
);

test.each([
  ["nothing", []],
  ["a string", "abc"],
  ["an object", { custom_id: "a" }],
])("createBatchFile() refuses %s instead of requests", async (_name, requests) => {
  const refused = nerif.files.createBatchFile(requests as never);
  await expect(refused).rejects.toMatchObject({
    code: Array.isArray(requests) ? "empty_file" : "invalid_type",
  });
  expect(await bytesOnDisk()).toEqual([]);
});

test("createBatchFile() leaves no bytes when the source of its requests fails", async () => {
  const refused = nerif.files.createBatchFile(
    (function* () {
      yield good;
      throw new Error("the database is gone");
    })(),
  );
  await expect(refused).rejects.toThrow("the database is gone");
  expect(await bytesOnDisk()).toEqual([]);
});

test("createBatchFile() takes an id of the caller's choice once", async () => {
  expect(await nerif.files.createBatchFile([good], givenId)).toMatchObject({ id: givenId });
  await expect(nerif.files.createBatchFile([good], givenId)).rejects.toMatchObject({ code: "file_exists" });
  for (const id of ["mine", "file-../../../../../../etc/passwd", `${givenId}\n`, ""]) {
    await expect(nerif.files.createBatchFile([good], id)).rejects.toMatchObject({ code: "invalid_id" });
  }
});

test("createBatchFile() lets one of two win that want the same id at once", async () => {
  const both = await Promise.allSettled([
    nerif.files.createBatchFile([good], givenId),
    nerif.files.createBatchFile([{ ...good, custom_id: "b" }], givenId),
  ]);
  const refused = both.filter(({ status }) => status === "rejected");
  expect(refused).toEqual([
    expect.objectContaining({ reason: expect.objectContaining({ code: "file_exists" }) }),
  ]);
  expect(await nerif.files.readBatchFile(givenId)).toHaveLength(1);
  expect(await bytesOnDisk()).toHaveLength(1);
});

test("readBatchFile() names the line that is not JSON, blank lines counted", async () => {
  const id = await store(`\uFEFF${JSON.stringify(good)}\r\n\n{"custom_id": \n`);
  await expect(nerif.files.readBatchFile(id)).rejects.toMatchObject({
    code: "invalid_json_line",
    message: expect.stringContaining("line 3 is not valid JSON"),
  });
  const list = await store(`${JSON.stringify(good)}\n[]`);
  await expect(nerif.files.readBatchFile(list)).rejects.toThrow("line 2 is not a JSON object");
  await expect(nerif.files.readBatchFile(givenId)).rejects.toMatchObject({ code: "file_not_found" });
});

test("createOutputFile() and createErrorFile() write result files that belong to a batch", async () => {
  const batchId = `batch_${"0".repeat(32)}`;
  const results = [{ id: "1", custom_id: "a", response: { status_code: 200 }, error: null }];
  const output = await nerif.files.createOutputFile(batchId, results);
  expect(output).toMatchObject({ purpose: "batch_output", filename: `${batchId}_output.jsonl` });
  expect(await nerif.files.readBatchFile(output.id)).toEqual(results);
  const errors = await nerif.files.createErrorFile(batchId, new Set([{ custom_id: "b" }]));
  expect(errors).toMatchObject({ purpose: "batch_output", filename: `${batchId}_error.jsonl` });
  expect(await nerif.files.createErrorFile(batchId, [])).toBeNull();
  expect(await bytesOnDisk()).toHaveLength(2);
  await expect(nerif.files.createOutputFile("batch_1", results)).rejects.toMatchObject({
    code: "invalid_id",
  });
});

test("files are listed, found and deleted", async () => {
  const first = await nerif.files.createBatchFile([good]);
  const second = await nerif.files.createBatchFile([good]);
  const page = await nerif.files.list({ limit: 1 });
  expect(page).toEqual({
    object: "list",
    data: [second],
    first_id: second.id,
    last_id: second.id,
    has_more: true,
  });
  expect((await nerif.files.list({ after: second.id })).data).toEqual([first]);
  expect(await nerif.files.retrieve(first.id)).toEqual(first);
  expect(await nerif.files.delete(first.id)).toEqual({ id: first.id, object: "file", deleted: true });
  await expect(nerif.files.retrieve(first.id)).rejects.toMatchObject({ code: "file_not_found" });
  await expect(nerif.files.content(first.id)).rejects.toMatchObject({ code: "file_not_found" });
});

test("every method refuses an id that is no text with a NerifError", async () => {
  const { files, batches } = nerif;
  const id = undefined as unknown as string;
  const calls = [
    files.readBatchFile(id),
    files.retrieve(id),
    files.delete(id),
    files.content(id),
    batches.retrieve(id),
    batches.cancel(id),
    batches.wait(id),
    batches.results(id)[Symbol.asyncIterator]().next(),
  ];
  const results = await Promise.allSettled(calls);
  for (const result of results) {
    expect(result).toMatchObject({
      status: "rejected",
      reason: { name: "NerifError", code: "invalid_type" },
    });
  }
});

async function store(text: string): Promise<string> {
  // Past the checks of createBatchFile, as an upload would do it.
  const { openNerif } = await import("../compose.ts");
  const opened = await openNerif(storageAt(dataDir));
  try {
    const staged = await opened.service.files.begin();
    await staged.write([Buffer.from(text)]);
    return (await staged.finish("default", { filename: "x.jsonl", purpose: "batch" })).id;
  } finally {
    await opened.close();
  }
}

function bytesOnDisk(): Promise<string[]> {
  return storedKeys(dataDir);
}
