import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import {
  finishBatch,
  openTestInstance,
  project,
  requestLine,
  textOf,
  uploadInput,
} from "../../test/support/http-instance.ts";
import { storedKeys } from "../../test/support/stored.ts";
import { NerifError } from "../batch/errors.ts";
import type { FileParams } from "./file-params.ts";

async function upload(text: string | Buffer, params: Partial<FileParams> = {}) {
  const instance = await openTestInstance({ clock: createTestClock() });
  const staged = await instance.service.files.begin();
  if (text.length > 0) await staged.write([Buffer.from(text)]);
  const file = staged.finish(project, { filename: "a.jsonl", purpose: "batch", ...params });
  return { instance, file };
}

describe("file service", () => {
  it("answers an upload with the processed file, which expires after 30 days", async () => {
    const { instance, file } = await upload(`${requestLine("a")}\n`);
    const created = await file;
    expect(created).toEqual({
      id: expect.stringMatching(/^file-[A-Za-z0-9]{22}$/),
      object: "file",
      bytes: requestLine("a").length + 1,
      created_at: 1_795_300_000,
      expires_at: 1_795_300_000 + 2_592_000,
      filename: "a.jsonl",
      purpose: "batch",
      status: "processed",
      status_details: null,
    });
    expect(await instance.service.files.retrieve(project, created.id)).toEqual(created);
  });

  it("keeps the bytes of an upload as they were", async () => {
    const bytes = Buffer.from(`\uFEFF${requestLine("ä")}\r\n\n{"broken": \u0000 later\n`);
    const { instance, file } = await upload(bytes);
    const content = await instance.service.files.content(project, (await file).id);
    expect(await textOf(content.stream())).toBe(bytes.toString());
    await content.close();
  });

  it("keeps the bytes when it is unknown whether their record was made, and gives them to who asks again", async () => {
    const instance = await openTestInstance();
    const insertFile = instance.control.insertFile;
    instance.control.insertFile = async (...row) => {
      await insertFile(...row);
      throw new NerifError("storage_unavailable", "Cannot record the file: the answer was lost");
    };
    const text = `${requestLine("a")}\n`;
    const ask = async () => {
      const staged = await instance.service.files.begin();
      await staged.write([Buffer.from(text)]);
      return staged.finish(project, { filename: "a.jsonl", purpose: "batch" }, { idempotencyKey: "once" });
    };
    await expect(ask()).rejects.toMatchObject({ code: "storage_unavailable" });
    const content = await instance.service.files.content(project, (await ask()).id);
    expect(await textOf(content.stream())).toBe(text);
    await content.close();
  });

  it.each([
    ["", {}, "empty_file", null],
    ["\n \n", {}, "empty_file", null],
    ["not json\n", {}, "invalid_file_format", null],
    [`\uFEFF\n\n{"a":\n${requestLine("b")}`, {}, "invalid_file_format", null],
    [Buffer.from([0x22, 0xff, 0x22, 0x0a]), {}, "invalid_file_format", null],
    ["{}\n", { filename: "a.json" }, "invalid_file_format", null],
    ["{}\n", { filename: "" }, "string_below_min_length", "filename"],
    ["{}\n", { filename: `${"x".repeat(1_020)}.jsonl` }, "string_above_max_length", "filename"],
    ["{}\n", { purpose: "poetry" }, "invalid_request", "purpose"],
    ["{}\n", { id: "file-../../etc/passwd" }, "invalid_id", "id"],
    ["{}\n", { expires_after: { anchor: "now", seconds: 3_600 } }, "invalid_value", "expires_after.anchor"],
    [
      "{}\n",
      { expires_after: { anchor: "created_at", seconds: 3_599 } },
      "integer_below_min_value",
      "expires_after.seconds",
    ],
    [
      "{}\n",
      { expires_after: { anchor: "created_at", seconds: 2_592_001 } },
      "integer_above_max_value",
      "expires_after.seconds",
    ],
    [
      "{}\n",
      { expires_after: { anchor: "created_at", seconds: 3_600.5 } },
      "invalid_type",
      "expires_after.seconds",
    ],
  ])("refuses %j with %j as %s and leaves nothing behind", async (text, params, code, param) => {
    const { instance, file } = await upload(text, params);
    await expect(file).rejects.toMatchObject(param === null ? { code } : { code, param });
    expect(await instance.service.files.list(project)).toEqual({ data: [], has_more: false });
    expect(await storedKeys(instance.dataDir)).toEqual([]);
  });

  it("accepts a first line that arrives in pieces and one that is longer than it looks at", async () => {
    const instance = await openTestInstance();
    for (const text of [requestLine("a"), requestLine("a", "x".repeat(1_100_000))]) {
      const staged = await instance.service.files.begin();
      for (let at = 0; at < text.length; at += 50_000)
        await staged.write([Buffer.from(text.slice(at, at + 50_000))]);
      await expect(staged.finish(project, { filename: "a.JSONL", purpose: "batch" })).resolves.toMatchObject({
        bytes: text.length,
      });
    }
  });

  it("looks for the first line behind any number of blank ones, and decodes nothing before it", async () => {
    const decode = vi.spyOn(TextDecoder.prototype, "decode");
    onTestFinished(() => decode.mockRestore());
    const blank = " \t\r\n\n".repeat(2_000);
    const cases = [
      [blank + requestLine("a"), null],
      [`${blank}no json\n`, "invalid_file_format"],
      [blank, "empty_file"],
      [`\uFEFF${blank}`, "empty_file"],
      [`\uFEFF${blank}${requestLine("a")}`, null],
      [`${blank}\uFEFF{}\n`, "invalid_file_format"],
      [`${blank}${"x".repeat(1_100_000)}\n`, null],
    ] as const;
    for (const [text, code] of cases) {
      const instance = await openTestInstance();
      const bytes = Buffer.from(text);
      const staged = await instance.service.files.begin();
      decode.mockClear();
      // Cut inside of line ends, and inside of the mark.
      for (let at = 0; at < bytes.length; at += 1_001) await staged.write([bytes.subarray(at, at + 1_001)]);
      const stored = staged.finish(project, { filename: "a.jsonl", purpose: "batch" });
      if (code === null) await expect(stored).resolves.toMatchObject({ bytes: bytes.length });
      else await expect(stored).rejects.toMatchObject({ code });
      expect(decode.mock.calls.length).toBeLessThanOrEqual(2);
    }
  });

  it("uses an id of the caller's choice once", async () => {
    const id = `file-${"a".repeat(22)}`;
    const { instance, file } = await upload("{}\n", { id });
    expect((await file).id).toBe(id);
    const again = await instance.service.files.begin();
    await again.write([Buffer.from("[]\n")]);
    await expect(again.finish(project, { filename: "b.jsonl", purpose: "batch", id })).rejects.toMatchObject({
      code: "file_exists",
    });
    const content = await instance.service.files.content(project, id);
    expect(await textOf(content.stream())).toBe("{}\n");
    await content.close();
  });

  it("hides a file when it expires and from other projects", async () => {
    const clock = createTestClock();
    const instance = await openTestInstance({ clock });
    const file = await uploadInput(instance, "{}\n");
    await expect(instance.service.files.retrieve("other", file.id)).rejects.toMatchObject({
      code: "file_not_found",
    });
    clock.advance(2_592_000_000);
    await expect(instance.service.files.retrieve(project, file.id)).rejects.toMatchObject({
      code: "file_not_found",
      message: `No such File object: ${file.id}`,
    });
    expect((await instance.service.files.list(project)).data).toEqual([]);
  });

  it("deletes a file whose batch ends while it is refused for it", async () => {
    const instance = await openTestInstance();
    const { files, batches } = instance.service;
    const { id: input_file_id } = await uploadInput(instance, `${requestLine("a")}\n`);
    const params = { input_file_id, endpoint: "/v1/embeddings", completion_window: "24h" };
    const { id } = await batches.create(project, params);
    const { control } = instance;
    const { isInputInUse } = control;
    control.isInputInUse = async (file) => {
      await finishBatch(instance, id, { output: [0] });
      return isInputInUse(file);
    };
    expect(await files.delete(project, input_file_id)).toMatchObject({ deleted: true });
    await expect(files.delete(project, input_file_id)).rejects.toMatchObject({ code: "file_not_found" });
  });

  it("deletes a file with its bytes, unless a batch that is not final reads it", async () => {
    const instance = await openTestInstance();
    const { files, batches } = instance.service;
    const input = await uploadInput(instance, "{}\n");
    const batch = await batches.create(project, {
      input_file_id: input.id,
      endpoint: "/v1/embeddings",
      completion_window: "24h",
    });
    await expect(files.delete(project, input.id)).rejects.toMatchObject({ code: "file_in_use" });
    const stored = await instance.control.getBatch(null, batch.id);
    await instance.control.updateBatch(batch.id, stored?.version ?? 0, { status: "completed" });
    expect(await files.delete(project, input.id)).toEqual({ id: input.id, object: "file", deleted: true });
    await expect(files.delete(project, input.id)).rejects.toMatchObject({ code: "file_not_found" });
    await expect(files.content(project, input.id)).rejects.toMatchObject({ code: "file_not_found" });
    expect(await instance.fileStore.size(input.id)).toBeNull();
  });

  it("lists newest first, page by page, and filters by purpose", async () => {
    const instance = await openTestInstance({ clock: createTestClock() });
    const { files } = instance.service;
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.unshift((await uploadInput(instance, "{}\n")).id);
    const first = await files.list(project, { limit: 2 });
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first.has_more).toBe(true);
    const rest = await files.list(project, { limit: 3, after: first.data[1]?.id });
    expect(rest.data.map(({ id }) => id)).toEqual(ids.slice(2));
    expect(rest.has_more).toBe(false);
    expect((await files.list(project, { order: "asc" })).data.map(({ id }) => id)).toEqual(
      [...ids].reverse(),
    );
    expect((await files.list(project, { purpose: "batch_output" })).data).toEqual([]);
    expect(await files.list(project, { limit: 0 })).toEqual({ data: [], has_more: false });
  });

  it.each([
    [
      { limit: 10_001 },
      "integer_above_max_value",
      "Invalid 'limit': integer above maximum value. Expected a value <= 10000, but got 10001 instead.",
    ],
    [
      { limit: -1 },
      "integer_below_min_value",
      "Invalid 'limit': integer below minimum value. Expected a value >= 0, but got -1 instead.",
    ],
    [{ order: "up" }, "invalid_value", "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."],
    [{ after: `file-${"z".repeat(22)}` }, "cursor_not_found", expect.any(String)],
  ])("refuses the list query %j", async (query, code, message) => {
    const instance = await openTestInstance();
    await expect(instance.service.files.list(project, query)).rejects.toMatchObject({ code, message });
  });

  it("gives files of other purposes back only where OpenAI does", async () => {
    const { instance, file } = await upload("text", { purpose: "user_data", filename: "a.txt" });
    const { id, expires_at } = await file;
    expect(expires_at).toBeNull();
    await expect(instance.service.files.content(project, id)).rejects.toMatchObject({
      code: "file_not_downloadable",
      message: "Not allowed to download files of purpose: user_data",
    });
  });
});
