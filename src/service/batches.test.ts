import { describe, expect, it } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { openTestInstance, project, requestLine, uploadInput } from "../../test/support/http-instance.ts";
import type { BatchObject } from "../batch/batch.ts";
import type { Instance } from "./instance.ts";

const good = { endpoint: "/v1/embeddings", completion_window: "24h" };

async function create(instance: Instance, more: Record<string, unknown> = {}): Promise<BatchObject> {
  const input = await uploadInput(instance, `${requestLine("a")}\n`);
  return instance.service.batches.create(project, { input_file_id: input.id, ...good, ...more });
}

async function set(instance: Instance, id: string, patch: object): Promise<void> {
  const batch = await instance.control.getBatch(null, id);
  await instance.control.updateBatch(id, batch?.version ?? 0, patch);
}

describe("batch service", () => {
  it("answers a create with the validating batch and wakes the engine", async () => {
    const instance = await openTestInstance({ clock: createTestClock() });
    const batch = await create(instance, { metadata: { job: "nightly" } });
    expect(batch).toEqual({
      id: expect.stringMatching(/^batch_[0-9a-f]{32}$/),
      object: "batch",
      endpoint: "/v1/embeddings",
      model: null,
      errors: null,
      input_file_id: expect.stringMatching(/^file-/),
      completion_window: "24h",
      status: "validating",
      output_file_id: null,
      error_file_id: null,
      created_at: 1_795_300_000,
      in_progress_at: null,
      expires_at: 1_795_386_400,
      finalizing_at: null,
      completed_at: null,
      failed_at: null,
      expired_at: null,
      cancelling_at: null,
      cancelled_at: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
      usage: null,
      metadata: { job: "nightly" },
    });
    expect(Number.parseInt(batch.id.slice(6, 14), 16)).toBe(batch.created_at);
    expect(instance.engine).toMatchObject({ wakes: 1, starts: 1 });
    expect(await instance.service.batches.retrieve(project, batch.id)).toEqual(batch);
  });

  it.each([
    [
      { input_file_id: undefined },
      "missing_required_parameter",
      "input_file_id",
      "Missing required parameter: 'input_file_id'.",
    ],
    [{ endpoint: null }, "missing_required_parameter", "endpoint", "Missing required parameter: 'endpoint'."],
    [
      { completion_window: undefined },
      "missing_required_parameter",
      "completion_window",
      /completion_window/,
    ],
    [
      { endpoint: 7 },
      "invalid_type",
      "endpoint",
      "Invalid type for 'endpoint': expected a string, but got an integer instead.",
    ],
    [
      { endpoint: "/v1/x" },
      "invalid_value",
      "endpoint",
      "Invalid value: '/v1/x'. Supported values are: '/v1/chat/completions', '/v1/embeddings', '/v1/completions', '/v1/responses', and '/v1/moderations'.",
    ],
    [
      { completion_window: "1h" },
      "invalid_value",
      "completion_window",
      "Invalid value: '1h'. Supported values are: '24h'.",
    ],
    [{ completion_window: "" }, "invalid_value", "completion_window", /^Invalid value: ''/],
    [{ metadata: [] }, "invalid_type", "metadata", /expected an object, but got an array/],
    [
      { metadata: { tags: ["a"] } },
      "invalid_type",
      "metadata.tags",
      "Invalid type for 'metadata.tags': expected a string, but got an array instead.",
    ],
    [{ metadata: { nerif_dedupe: "yes" } }, "invalid_value", "metadata.nerif_dedupe", /"true" or "false"/],
    [{ metadata: { nerif_priority: "101" } }, "invalid_value", "metadata.nerif_priority", /from 1 to 100/],
    [{ metadata: { n: null } }, "invalid_type", "metadata.n", /got null instead/],
    [
      { metadata: { ["k".repeat(65)]: "v" } },
      "string_above_max_length",
      "metadata",
      /maximum length 64, but got a string with length 65/,
    ],
    [{ metadata: { k: "v".repeat(513) } }, "string_above_max_length", "metadata.k", /maximum length 512/],
    [
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, "v"])) },
      "object_above_max_properties",
      "metadata",
      /at most 16 properties, but got an object with 17/,
    ],
    [{ output_expires_after: 3_600 }, "invalid_type", "output_expires_after", /expected an object/],
    [
      { output_expires_after: { anchor: "created_at" } },
      "missing_required_parameter",
      "output_expires_after.seconds",
      /seconds/,
    ],
    [
      { input_file_id: `file-${"x".repeat(22)}` },
      "invalid_request",
      "input_file_id",
      /^Cannot find file file-x+\.$/,
    ],
    [{ input_file_id: "../nerif.db" }, "invalid_request", "input_file_id", /^Cannot find file/],
  ])("refuses to create a batch with %j", async (fields, code, param, message) => {
    const instance = await openTestInstance();
    await expect(create(instance, fields)).rejects.toMatchObject({
      code,
      param,
      message: typeof message === "string" ? message : expect.stringMatching(message),
    });
    expect((await instance.service.batches.list(project)).data).toEqual([]);
  });

  it("accepts metadata at its limits, counted in characters, and a pair named __proto__", async () => {
    const instance = await openTestInstance();
    const pairs = Array.from({ length: 15 }, (_, i) => [`${i}`.padEnd(64, "k"), "😀".repeat(512)]);
    const metadata = JSON.parse(JSON.stringify(Object.fromEntries(pairs)).replace("{", '{"__proto__":"v",'));
    const { id } = await create(instance, { metadata });
    const stored = await instance.service.batches.retrieve(project, id);
    expect(JSON.stringify(stored.metadata)).toBe(JSON.stringify(metadata));
  });

  it("admits the completion windows that the operator does", async () => {
    const settings = { completionWindows: { min: 60, max: 7 * 86_400 } };
    const instance = await openTestInstance({ clock: createTestClock(), settings });
    const batch = await create(instance, { completion_window: "90m" });
    expect(batch).toMatchObject({ completion_window: "90m", expires_at: batch.created_at + 5_400 });
    for (const completion_window of ["59s", "8d", "1.5h", "soon"]) {
      await expect(create(instance, { completion_window })).rejects.toMatchObject({
        param: "completion_window",
      });
    }
  });

  it("refuses an input that is no batch input or has expired", async () => {
    const clock = createTestClock();
    const instance = await openTestInstance({ clock });
    const staged = await instance.service.files.begin();
    await staged.write([Buffer.from("x")]);
    const other = await staged.finish(project, { filename: "a.txt", purpose: "user_data" });
    await expect(create(instance, { input_file_id: other.id })).rejects.toMatchObject({
      param: "input_file_id",
      message: expect.stringContaining("its purpose is 'user_data'"),
    });
    const input = await uploadInput(instance, "{}\n");
    clock.advance(2_592_000_000);
    await expect(create(instance, { input_file_id: input.id })).rejects.toMatchObject({
      param: "input_file_id",
    });
  });

  it("knows no input that is deleted while the batch is recorded", async () => {
    const instance = await openTestInstance();
    const { control, service } = instance;
    const { id } = await uploadInput(instance, `${requestLine("a")}\n`);
    const getFile = control.getFile;
    control.getFile = async (...args) => {
      const found = await getFile(...args);
      await control.deleteFile(project, id);
      return found;
    };
    await expect(service.batches.create(project, { input_file_id: id, ...good })).rejects.toMatchObject({
      code: "invalid_request",
      param: "input_file_id",
      message: `Cannot find file ${id}.`,
    });
    expect((await service.batches.list(project)).data).toEqual([]);
  });

  it("answers a create even when executing cannot begin", async () => {
    const instance = await openTestInstance();
    instance.engine.start = () => Promise.reject(new Error("the disk is gone"));
    await expect(create(instance)).resolves.toMatchObject({ status: "validating" });
  });

  it("knows no batch of another project, and none by a malformed id", async () => {
    const instance = await openTestInstance();
    const { id } = await create(instance);
    for (const [owner, asked] of [
      ["other", id],
      [project, "batch_1"],
      [project, "../x"],
    ] as const) {
      await expect(instance.service.batches.retrieve(owner, asked)).rejects.toMatchObject({
        code: "batch_not_found",
        message: `No batch found with id '${asked}'.`,
      });
    }
  });

  it("lists newest first and page by page", async () => {
    const instance = await openTestInstance({ clock: createTestClock() });
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) ids.unshift((await create(instance)).id);
    const first = await instance.service.batches.list(project, { limit: 2 });
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first.has_more).toBe(true);
    const last = await instance.service.batches.list(project, { after: ids[1] });
    expect(last).toMatchObject({ data: [{ id: ids[2] }], has_more: false });
    await expect(instance.service.batches.list(project, { limit: 101 })).rejects.toMatchObject({
      message: "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
    });
  });

  it("cancels a batch and tells the engine", async () => {
    const instance = await openTestInstance({ clock: createTestClock() });
    instance.engine.canStart = false;
    const { id } = await create(instance);
    const cancelling = await instance.service.batches.cancel(project, id);
    expect(cancelling).toMatchObject({ status: "cancelling", cancelling_at: 1_795_300_000 });
    expect(instance.engine.wakes).toBe(2);
    expect(await instance.service.batches.cancel(project, id)).toEqual(cancelling);
    await set(instance, id, { status: "cancelled" });
    expect(await instance.service.batches.cancel(project, id)).toMatchObject({ status: "cancelled" });
  });

  it("cancels also when the engine changes the batch at the same time", async () => {
    const instance = await openTestInstance();
    const { id } = await create(instance);
    const { control } = instance;
    const update = control.updateBatch;
    instance.engine.canStart = false;
    control.updateBatch = async (...args) => {
      control.updateBatch = update;
      await set(instance, id, { status: "in_progress", in_progress_at: 5 });
      return update(...args);
    };
    expect(await instance.service.batches.cancel(project, id)).toMatchObject({
      status: "cancelling",
      in_progress_at: 5,
    });
  });

  it.each(["completed", "failed", "expired"] as const)(
    "refuses to cancel a batch that is %s",
    async (status) => {
      const instance = await openTestInstance();
      const { id } = await create(instance);
      await set(instance, id, { status });
      await expect(instance.service.batches.cancel(project, id)).rejects.toMatchObject({
        code: "batch_not_cancellable",
        message: `Cannot cancel a batch with status '${status}'.`,
      });
    },
  );

  it("settles a cancelled batch itself where nobody executes", async () => {
    const instance = await openTestInstance();
    const { id } = await create(instance);
    instance.engine.start = async () => {
      await set(instance, id, { status: "cancelled", cancelled_at: 9 });
      return true;
    };
    expect(await instance.service.batches.cancel(project, id)).toMatchObject({
      status: "cancelled",
      cancelled_at: 9,
    });
  });

  it("waits until a batch is final, shows each change, and tries to execute meanwhile", async () => {
    const instance = await openTestInstance();
    const { id } = await create(instance);
    const seen: string[] = [];
    const waiting = instance.service.batches.wait(project, id, {
      onProgress(batch) {
        seen.push(`${batch.status} ${batch.request_counts.total}`);
        void (async () => {
          if (batch.status === "validating") {
            await set(instance, id, {
              status: "in_progress",
              request_counts: { total: 1, completed: 0, failed: 0 },
            });
          } else if (batch.status === "in_progress") await set(instance, id, { status: "completed" });
          instance.engine.tell();
        })();
      },
    });
    expect(await waiting).toMatchObject({ status: "completed" });
    expect(seen).toEqual(["validating 0", "in_progress 1", "completed 1"]);
    expect(instance.engine.starts).toBeGreaterThan(1);
  });

  it("stops waiting when its caller does", async () => {
    const instance = await openTestInstance();
    const { id } = await create(instance);
    const controller = new AbortController();
    const waiting = instance.service.batches.wait(project, id, {
      signal: controller.signal,
      onProgress: () => setImmediate(() => controller.abort()),
    });
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  });
});
