import { describe, expect, it } from "vitest";
import {
  finishBatch,
  openTestInstance,
  project,
  requestLine,
  textOf,
  uploadInput,
} from "../../test/support/http-instance.ts";

const params = { endpoint: "/v1/embeddings", completion_window: "24h" };

async function failedBatch({
  input,
  error,
  metadata,
}: {
  input: string;
  error: number[];
  metadata?: Record<string, string>;
}) {
  const instance = await openTestInstance();
  const { id: input_file_id } = await uploadInput(instance, input);
  const batch = await instance.service.batches.create(project, { ...params, input_file_id, metadata });
  await finishBatch(instance, batch.id, { error });
  return { instance, batch };
}

describe("retry of a batch", () => {
  it("begins a batch with the failed lines byte for byte, in their order", async () => {
    const odd = `  ${requestLine("b").replace('"method"', '\t"extra" : 1e2 ,"method"')}  `;
    const input = `\uFEFF${requestLine("a")}\r\n\n \t\n${odd}\n${requestLine("c")}\n${requestLine("d")}`;
    const { instance, batch } = await failedBatch({ input, error: [0, 1, 3], metadata: { job: "x" } });
    const again = await instance.service.batches.retry(project, batch.id);
    expect(again).toMatchObject({
      ...params,
      status: "validating",
      metadata: { job: "x", retry_of: batch.id },
    });
    expect(again.id).not.toBe(batch.id);
    const content = await instance.service.files.content(project, again.input_file_id);
    expect(await textOf(content.stream())).toBe(`${requestLine("a")}\n${odd}\n${requestLine("d")}\n`);
    await content.close();
  });

  it("names its origin only where a pair is free, and the newest origin", async () => {
    const full = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, "v"]));
    const one = await failedBatch({ input: requestLine("a"), error: [0], metadata: full });
    expect((await one.instance.service.batches.retry(project, one.batch.id)).metadata).toEqual(full);
    const { k0: _, ...fifteen } = full;
    const two = await failedBatch({
      input: requestLine("a"),
      error: [0],
      metadata: { ...fifteen, retry_of: "batch_before" },
    });
    expect((await two.instance.service.batches.retry(project, two.batch.id)).metadata).toEqual({
      ...fifteen,
      retry_of: two.batch.id,
    });
  });

  it("is refused while the batch runs, and when no line failed", async () => {
    const { instance, batch } = await failedBatch({ input: requestLine("a"), error: [] });
    await expect(instance.service.batches.retry(project, batch.id)).rejects.toMatchObject({
      code: "invalid_request",
    });
    const running = await instance.service.batches.create(project, {
      ...params,
      input_file_id: batch.input_file_id,
    });
    await expect(instance.service.batches.retry(project, running.id)).rejects.toMatchObject({
      code: "batch_not_final",
    });
  });

  it("is refused when the input is gone, and leaves no file behind", async () => {
    const { instance, batch } = await failedBatch({ input: requestLine("a"), error: [0] });
    await instance.service.files.delete(project, batch.input_file_id);
    await expect(instance.service.batches.retry(project, batch.id)).rejects.toMatchObject({
      code: "input_file_gone",
    });
    expect((await instance.service.files.list(project, { purpose: "batch" })).data).toEqual([]);
  });

  it("shows its input no sooner than its batch, so that a kill between them leaves neither", async () => {
    const { instance, batch } = await failedBatch({ input: requestLine("a"), error: [0] });
    const inputs = async () => {
      const { data } = await instance.service.files.list(project, { purpose: "batch" });
      return data.map(({ filename }) => filename);
    };
    const { insertBatch } = instance.control;
    const before: string[][] = [];
    instance.control.insertBatch = async (...given) => {
      before.push(await inputs());
      return insertBatch(...given);
    };
    await instance.service.batches.retry(project, batch.id);
    expect(before).toEqual([["input.jsonl"]]);
    expect(await inputs()).toEqual([`${batch.id}_retry.jsonl`, "input.jsonl"]);
  });

  it("is refused when input and error file do not belong together", async () => {
    const { instance, batch } = await failedBatch({ input: requestLine("a"), error: [0, 7] });
    await expect(instance.service.batches.retry(project, batch.id)).rejects.toMatchObject({
      code: "data_damaged",
    });
    expect((await instance.service.files.list(project, { purpose: "batch" })).data).toHaveLength(1);
  });
});
