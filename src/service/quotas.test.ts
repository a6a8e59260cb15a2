import { expect, it } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { aFile, anApiKey } from "../../test/support/control-rows.ts";
import {
  finishBatch,
  openTestInstance,
  requestLine,
  type TestInstance,
} from "../../test/support/http-instance.ts";
import { noQuotas, type Quotas, type StoredApiKey } from "../batch/api-key.ts";
import { NerifError } from "../batch/errors.ts";
import type { FileObject } from "../batch/file.ts";

async function setUp(quotas: Partial<Quotas>, clock = createTestClock()) {
  const instance = await openTestInstance({ clock });
  const apiKey = anApiKey({ quotas: { ...noQuotas, ...quotas } });
  await instance.control.insertApiKey(apiKey);
  return { instance, apiKey, files: instance.service.files, batches: instance.service.batches };
}

async function upload({ service }: TestInstance, text: string, apiKey: StoredApiKey | null) {
  const staged = await service.files.begin({ apiKey });
  await staged.write([Buffer.from(text)]);
  return staged.finish("default", { filename: "a.jsonl", purpose: "batch" }, { apiKey });
}

const jsonOf = (bytes: number) => `"${"x".repeat(bytes - 2)}"`;

it("an upload is refused at the byte that passes the quota, and another key's is not", async () => {
  const { instance, apiKey, files } = await setUp({ stored_bytes: 100 });
  await upload(instance, jsonOf(60), apiKey);
  const staged = await files.begin({ apiKey });
  await staged.write([Buffer.alloc(40, " ")]);
  await expect(staged.write([Buffer.alloc(1)])).rejects.toMatchObject({
    code: "quota_exceeded",
    message: expect.stringContaining("'stored_bytes' of this API key is 100, of which 100 are used"),
  });
  await staged.discard();
  await upload(instance, jsonOf(60), anApiKey({ quotas: { ...noQuotas, stored_bytes: 60 } }));
  await upload(instance, jsonOf(1_000), null);
  expect(await instance.control.apiKeyUsage(apiKey.id)).toMatchObject({ stored_bytes: 60 });
});

it("an upload is refused before its first byte when the quota is used up, and fits again after a delete", async () => {
  const { instance, apiKey, files } = await setUp({ stored_bytes: 60 });
  const { id } = await upload(instance, jsonOf(60), apiKey);
  await expect(files.begin({ apiKey })).rejects.toMatchObject({ code: "quota_exceeded" });
  await files.delete("default", id);
  await upload(instance, jsonOf(60), apiKey);
});

it("uploads at the same time share what is left, and give it back when they are discarded", async () => {
  const { apiKey, files } = await setUp({ stored_bytes: 100 });
  const first = await files.begin({ apiKey });
  const second = await files.begin({ apiKey });
  await first.write([Buffer.alloc(70, " ")]);
  await expect(second.write([Buffer.alloc(31)])).rejects.toMatchObject({ code: "quota_exceeded" });
  await second.discard();
  await second.discard();
  await first.discard();
  const third = await files.begin({ apiKey });
  await third.write([Buffer.from(jsonOf(100))]);
  const params = { filename: "a.jsonl", purpose: "batch" };
  await third.finish("default", params, { apiKey });
  await expect(files.begin({ apiKey })).rejects.toMatchObject({ code: "quota_exceeded" });
});

it("a retry that the quota of lines refuses leaves no copied lines behind", async () => {
  const { instance, apiKey, files, batches } = await setUp({ queued_lines: 1 });
  const line = `${requestLine("a")}\n`;
  const input: FileObject = await upload(instance, line, apiKey);
  const create = () =>
    batches.create(
      "default",
      { input_file_id: input.id, endpoint: "/v1/embeddings", completion_window: "24h" },
      { apiKey },
    );
  const { id } = await create();
  await finishBatch(instance, id, { error: [0] });
  const { insertBatch } = instance.control;
  instance.control.insertBatch = (batch, options) =>
    options?.quotas === apiKey.quotas
      ? Promise.reject(new Error("over the quota"))
      : insertBatch(batch, options);
  const before = (await files.list("default")).data.map((file) => file.id);
  await expect(batches.retry("default", id, { apiKey })).rejects.toThrow("over the quota");
  expect((await files.list("default")).data.map((file) => file.id)).toEqual(before);
});

it("open uploads are refused beyond their quota", async () => {
  const { instance, apiKey } = await setUp({ open_uploads: 2 });
  const { uploads } = instance.service;
  const params = { filename: "a.jsonl", purpose: "batch", bytes: 10, mime_type: "application/jsonl" };
  const open = (key: StoredApiKey | null) => uploads.create("default", params, { apiKey: key });
  const first = await open(apiKey);
  await open(apiKey);
  await open(null);
  await open(anApiKey());
  await expect(open(apiKey)).rejects.toMatchObject({
    code: "quota_exceeded",
    message: expect.stringContaining("'open_uploads' of this API key is 2, of which 2 are used"),
  });
  await uploads.cancel("default", first.id);
  await open(apiKey);
});

it("an upload is open no longer than its hour, though nobody ended it and it has no parts", async () => {
  const clock = createTestClock();
  const { instance, apiKey } = await setUp({ open_uploads: 1 }, clock);
  const params = { filename: "a.jsonl", purpose: "batch", bytes: 10, mime_type: "application/jsonl" };
  const open = () => instance.service.uploads.create("default", params, { apiKey });
  await open();
  clock.advance(3_599_000);
  await expect(open()).rejects.toMatchObject({ code: "quota_exceeded" });
  clock.advance(1_000);
  await open();
  await expect(open()).rejects.toMatchObject({ code: "quota_exceeded" });
});

it("parts of uploads count, and are refused at the byte that passes the quota", async () => {
  const { instance, apiKey, files } = await setUp({ stored_bytes: 100 });
  const { uploads } = instance.service;
  const params = { filename: "a.jsonl", purpose: "batch", bytes: 60, mime_type: "application/jsonl" };
  const { id } = await uploads.create("default", params, { apiKey });
  const part = await uploads.beginPart("default", id);
  await part.write([Buffer.from(jsonOf(60))]);
  const { id: partId } = await part.finish();
  const second = await uploads.beginPart("default", id);
  await expect(second.write([Buffer.alloc(41)])).rejects.toMatchObject({ code: "quota_exceeded" });
  await second.discard();
  // The file takes the place of its parts: together they would be over the quota.
  await uploads.complete("default", id, { part_ids: [partId] });
  expect(await instance.control.apiKeyUsage(apiKey.id)).toMatchObject({ stored_bytes: 60 });
  await expect((await files.begin({ apiKey })).write([Buffer.alloc(41)])).rejects.toMatchObject({
    code: "quota_exceeded",
  });
});

it("a part that passes the quota together with another is refused when it is recorded", async () => {
  const { instance, apiKey } = await setUp({ stored_bytes: 100 });
  const params = { filename: "a.jsonl", purpose: "batch", bytes: 90, mime_type: "application/jsonl" };
  const { id } = await instance.service.uploads.create("default", params, { apiKey });
  const part = await instance.service.uploads.beginPart("default", id);
  await part.write([Buffer.alloc(60)]);
  // Another process stores something meanwhile.
  await instance.control.insertFile(aFile({ api_key: apiKey.id, bytes: 50 }));
  await expect(part.finish()).rejects.toMatchObject({ code: "quota_exceeded" });
  expect(await instance.control.apiKeyUsage(apiKey.id)).toMatchObject({ stored_bytes: 50 });
  expect(await instance.control.uploadParts(id)).toEqual([]);
});

it("an answer is given again for its idempotency key though the quota is used up by then", async () => {
  const { instance, apiKey, batches } = await setUp({ queued_lines: 1 });
  const { id } = await upload(instance, `${requestLine("a")}\n`, apiKey);
  const params = { input_file_id: id, endpoint: "/v1/embeddings", completion_window: "24h" };
  const create = (idempotencyKey?: string) => batches.create("default", params, { apiKey, idempotencyKey });
  const batch = await create("once");
  await expect(create()).rejects.toMatchObject({ code: "quota_exceeded" });
  expect(await create("once")).toEqual(batch);
});

it("of retries that come at once under one idempotency key, all get the batch for which there is room once", async () => {
  const { instance, apiKey, batches } = await setUp({ stored_bytes: 400 });
  const line = `${requestLine("a", "x".repeat(100))}\n`;
  const { id: input_file_id } = await upload(instance, line, apiKey);
  const params = { input_file_id, endpoint: "/v1/embeddings", completion_window: "24h" };
  const { id } = await batches.create("default", params, { apiKey });
  await finishBatch(instance, id, { error: [0] });
  const quotas = { ...noQuotas, stored_bytes: 2 * line.length };
  const retry = () =>
    batches.retry("default", id, { apiKey: { ...apiKey, quotas }, idempotencyKey: "again" });
  const first = await retry();
  const { getAnswer } = instance.control;
  // The second looks before the first has its answer.
  let looks = 0;
  instance.control.getAnswer = async (...asked) => (looks++ === 0 ? null : getAnswer(...asked));
  expect(await retry()).toEqual(first);
});

it("a refusal stays what it is, and gives its room back, though its bytes cannot be deleted", async () => {
  const { instance, apiKey, files } = await setUp({ stored_bytes: 100 });
  instance.fileStore.delete = () => Promise.reject(new NerifError("storage_unavailable", "It is away"));
  const staged = await files.begin({ apiKey });
  await staged.write([Buffer.from(jsonOf(60))]);
  // Another process stores something meanwhile.
  await instance.control.insertFile(aFile({ api_key: apiKey.id, bytes: 50 }));
  const params = { filename: "a.jsonl", purpose: "batch" };
  await expect(staged.finish("default", params, { apiKey })).rejects.toMatchObject({
    code: "quota_exceeded",
  });
  await staged.discard();
  await upload(instance, jsonOf(50), apiKey);
});

it("a refusal stays what it is, and gives its room back, though its bytes cannot be given up", async () => {
  const { instance, apiKey, files } = await setUp({ stored_bytes: 100 });
  const { create } = instance.fileStore;
  const abort = () => Promise.reject(new NerifError("storage_unavailable", "It is away"));
  instance.fileStore.create = async (key) => ({ ...(await create(key)), abort });
  const staged = await files.begin({ apiKey });
  await staged.write([Buffer.from("not json".padEnd(60))]);
  const params = { filename: "a.jsonl", purpose: "batch" };
  await expect(staged.finish("default", params, { apiKey })).rejects.toMatchObject({
    code: "invalid_file_format",
  });
  await upload(instance, jsonOf(100), apiKey);
});

it("an answer is given again for its idempotency key though the bytes of the repetition cannot be deleted", async () => {
  const { instance, apiKey, files } = await setUp({ stored_bytes: 100 });
  instance.fileStore.delete = () => Promise.reject(new NerifError("storage_unavailable", "It is away"));
  const send = async () => {
    const staged = await files.begin({ apiKey });
    await staged.write([Buffer.from(jsonOf(40))]);
    const params = { filename: "a.jsonl", purpose: "batch" };
    return staged.finish("default", params, { apiKey, idempotencyKey: "once" });
  };
  const first = await send();
  expect(await send()).toEqual(first);
  await upload(instance, jsonOf(60), apiKey);
});
