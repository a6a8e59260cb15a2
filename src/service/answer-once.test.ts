import { describe, expect, it } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import {
  finishBatch,
  openTestInstance,
  project,
  requestLine,
  type TestInstance,
  uploadInput,
} from "../../test/support/http-instance.ts";
import { storedKeys } from "../../test/support/stored.ts";
import type { FileObject } from "../batch/file.ts";
import type { CreateOptions } from "./create-options.ts";
import type { FileParams } from "./file-params.ts";

const line = `${requestLine("a")}\n`;
const params = { filename: "input.jsonl", purpose: "batch" };

async function upload(
  { service }: TestInstance,
  {
    text = line,
    options = {},
    ...more
  }: { text?: string; options?: CreateOptions } & Partial<FileParams> = {},
): Promise<FileObject> {
  const staged = await service.files.begin();
  await staged.write([Buffer.from(text)]);
  return staged.finish(project, { ...params, ...more }, options);
}

/** A key, and how often an earlier answer was given under it. */
function aKey(idempotencyKey = "key-1") {
  const key = {
    idempotencyKey,
    replays: 0,
    onReplay() {
      key.replays += 1;
    },
  };
  return key;
}

async function batchParams(instance: TestInstance) {
  const { id } = await uploadInput(instance, line);
  return { input_file_id: id, endpoint: "/v1/embeddings", completion_window: "24h" };
}

describe("an idempotency key", () => {
  it("gives the first file again, and keeps nothing of the second", async () => {
    const instance = await openTestInstance();
    const key = aKey();
    const first = await upload(instance, { options: key });
    expect(key.replays).toBe(0);
    expect(await upload(instance, { options: key })).toEqual(first);
    expect(key.replays).toBe(1);
    expect((await instance.service.files.list(project)).data).toEqual([first]);
    expect(await storedKeys(instance.dataDir)).toEqual([first.id]);
  });

  it("gives the first file again though it was deleted since", async () => {
    const instance = await openTestInstance();
    const first = await upload(instance, { options: aKey() });
    await instance.service.files.delete(project, first.id);
    expect(await upload(instance, { options: aKey() })).toEqual(first);
  });

  it.each([
    ["other bytes", { text: `${line}${line}` }],
    ["another name", { filename: "other.jsonl" }],
    ["another purpose", { purpose: "user_data" }],
    ["another lifetime", { expires_after: { anchor: "created_at", seconds: 3_600 } }],
  ])("is refused for a file of %s", async (_, more) => {
    const instance = await openTestInstance();
    const first = await upload(instance, { options: aKey() });
    const key = aKey();
    await expect(upload(instance, { ...more, options: key })).rejects.toMatchObject({
      code: "idempotency_key_reused",
      param: "Idempotency-Key",
    });
    expect(key.replays).toBe(0);
    expect((await instance.service.files.list(project)).data).toEqual([first]);
    expect(await storedKeys(instance.dataDir)).toEqual([first.id]);
  });

  it("makes one file of many that come at once", async () => {
    const instance = await openTestInstance();
    const keys = Array.from({ length: 8 }, () => aKey());
    const files = await Promise.all(keys.map((options) => upload(instance, { options })));
    expect(new Set(files.map(({ id }) => id)).size).toBe(1);
    expect(keys.reduce((sum, { replays }) => sum + replays, 0)).toBe(7);
    expect(await storedKeys(instance.dataDir)).toEqual([files[0]?.id]);
  });

  it("makes one batch of many that come at once, and gives its first answer again later", async () => {
    const instance = await openTestInstance();
    const given = await batchParams(instance);
    const { batches } = instance.service;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => batches.create(project, given, aKey())),
    );
    expect((await batches.list(project)).data).toHaveLength(1);
    const [first] = answers;
    for (const answer of answers) expect(answer).toEqual(first);
    await finishBatch(instance, first?.id ?? "", { error: [0] });
    await instance.service.files.delete(project, given.input_file_id);
    const key = aKey();
    expect(await batches.create(project, given, key)).toEqual(first);
    expect(key.replays).toBe(1);
  });

  it("knows the same batch however its parameters are written", async () => {
    const instance = await openTestInstance();
    const given = await batchParams(instance);
    const { batches } = instance.service;
    const first = await batches.create(project, { ...given, metadata: { a: "1", b: "2" } }, aKey());
    const reordered = Object.fromEntries(Object.entries({ ...given, output_expires_after: null }).reverse());
    expect(await batches.create(project, { metadata: { b: "2", a: "1" }, ...reordered }, aKey())).toEqual(
      first,
    );
    for (const other of [
      { metadata: { a: "1" } },
      { metadata: { a: "1", b: "3" } },
      { endpoint: "/v1/responses" },
    ]) {
      const metadata = { a: "1", b: "2" };
      await expect(batches.create(project, { ...given, metadata, ...other }, aKey())).rejects.toMatchObject({
        code: "idempotency_key_reused",
      });
    }
  });

  it("stores nothing for what was refused", async () => {
    const instance = await openTestInstance();
    const given = await batchParams(instance);
    const { batches } = instance.service;
    await expect(batches.create(project, { ...given, endpoint: "/v1/x" }, aKey())).rejects.toThrow();
    const absent = { ...given, input_file_id: `file-${"x".repeat(22)}` };
    await expect(batches.create(project, absent, aKey())).rejects.toThrow();
    const key = aKey();
    await batches.create(project, given, key);
    expect(key.replays).toBe(0);
  });

  it("is one for all routes of a project, and none of another project's business", async () => {
    const instance = await openTestInstance();
    const given = await batchParams(instance);
    const { batches, files } = instance.service;
    await batches.create(project, given, aKey());
    await expect(upload(instance, { options: aKey() })).rejects.toMatchObject({
      code: "idempotency_key_reused",
    });
    const staged = await files.begin();
    await staged.write([Buffer.from(line)]);
    expect(await staged.finish("other", params, aKey())).toMatchObject({ filename: "input.jsonl" });
  });

  it("retries a batch once, and leaves no input of a second try", async () => {
    const instance = await openTestInstance();
    const { batches, files } = instance.service;
    const { id } = await batches.create(project, await batchParams(instance));
    await finishBatch(instance, id, { error: [0] });
    const before = (await files.list(project)).data.length;
    const answers = await Promise.all([1, 2, 3].map(() => batches.retry(project, id, aKey())));
    expect(new Set(answers.map((batch) => batch.id)).size).toBe(1);
    expect(await batches.retry(project, id, aKey())).toEqual(answers[0]);
    expect((await files.list(project)).data).toHaveLength(before + 1);
    expect((await batches.list(project)).data).toHaveLength(2);
  });

  it("is free again after 24 hours", async () => {
    const clock = createTestClock();
    const instance = await openTestInstance({ clock });
    const given = await batchParams(instance);
    const { batches } = instance.service;
    const first = await batches.create(project, given, aKey());
    clock.advance(86_399_000);
    expect((await batches.create(project, given, aKey())).id).toBe(first.id);
    clock.advance(1_000);
    const second = await batches.create(project, given, aKey());
    expect(second.id).not.toBe(first.id);
    expect((await batches.create(project, given, aKey())).id).toBe(second.id);
  });

  it.each(["", " ", "a b", "ü", "a\n", "x".repeat(256), "a,\u0000"])(
    "cannot be %j",
    async (idempotencyKey) => {
      const instance = await openTestInstance();
      const given = await batchParams(instance);
      const create = instance.service.batches.create(project, given, { idempotencyKey });
      await expect(create).rejects.toMatchObject({ code: "invalid_value", param: "Idempotency-Key" });
    },
  );

  it("may have 255 visible characters", async () => {
    const instance = await openTestInstance();
    const key = aKey(`!~${"x".repeat(253)}`);
    const first = await upload(instance, { options: key });
    expect(await upload(instance, { options: key })).toEqual(first);
  });
});
