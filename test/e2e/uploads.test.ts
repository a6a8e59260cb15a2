import { createHash } from "node:crypto";
import fc from "fast-check";
import OpenAI, { toFile } from "openai";
import { describe, expect, it } from "vitest";
import { createTestClock } from "../support/clock.ts";
import { openTestInstance, project } from "../support/http-instance.ts";
import { startTestServer } from "../support/http-server.ts";
import { storedKeys } from "../support/stored.ts";
import { addPart, completeUpload, contentOf, createUpload, post, uploadLine } from "../support/uploads.ts";

describe("uploads", () => {
  it("makes a file of parts in the order of the completion, with all that was announced", async () => {
    const server = await startTestServer({
      instance: await openTestInstance({ clock: createTestClock() }),
    });
    const bytes = Buffer.from(`${uploadLine}${uploadLine}`);
    const expires_after = { anchor: "created_at", seconds: 3_600 };
    const created = await createUpload(server, { bytes: bytes.length, expires_after });
    const upload = {
      id: expect.stringMatching(/^upload_[0-9a-f]{32}$/),
      object: "upload",
      bytes: bytes.length,
      created_at: 1_795_300_000,
      filename: "a.jsonl",
      purpose: "batch",
      status: "pending",
      expires_at: 1_795_303_600,
      file: null,
    };
    expect(created).toMatchObject({ status: 200, body: upload });
    const { id } = created.body;
    const last = await addPart(server, id, bytes.subarray(5));
    const first = await addPart(server, id, bytes.subarray(0, 5));
    expect(first.body).toEqual({
      id: expect.stringMatching(/^part_[0-9a-f]{32}$/),
      object: "upload.part",
      created_at: 1_795_300_000,
      upload_id: id,
    });
    const md5 = createHash("md5").update(bytes).digest("base64");
    const completed = await completeUpload(server, id, [first.body.id, last.body.id], { md5 });
    const file = {
      id: expect.stringMatching(/^file-/),
      object: "file",
      bytes: bytes.length,
      created_at: 1_795_300_000,
      expires_at: 1_795_303_600,
      filename: "a.jsonl",
      purpose: "batch",
      status: "processed",
      status_details: null,
    };
    expect(completed.body).toEqual({ ...upload, status: "completed", file });
    const { id: fileId } = completed.body.file as { id: string };
    expect(await contentOf(server, fileId)).toEqual(bytes);
    expect(await server.instance.control.getFile(project, fileId)).toMatchObject({
      lines: 2,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
    expect(await storedKeys(server.instance.dataDir)).toEqual([fileId]);
    expect(server.logged).toEqual([]);
  });

  it.each([
    [{ filename: undefined }, "missing_required_parameter", "Missing required parameter: 'filename'."],
    [{ purpose: undefined }, "missing_required_parameter", "Missing required parameter: 'purpose'."],
    [{ bytes: undefined }, "missing_required_parameter", "Missing required parameter: 'bytes'."],
    [{ mime_type: undefined }, "missing_required_parameter", "Missing required parameter: 'mime_type'."],
    [{ bytes: "7" }, "invalid_type", "but got a string"],
    [{ bytes: 1.5 }, "invalid_type", "expected an integer, but got a decimal number"],
    [{ bytes: -1 }, "integer_below_min_value", "Expected a value >= 0, but got -1"],
    [{ bytes: 8_589_934_593 }, null, "File is too large."],
    [{ purpose: "poetry" }, null, "'poetry' is not one of ['fine-tune', 'assistants', 'batch', "],
    [{ purpose: "batch_output" }, null, "'batch_output' is not one of"],
    [{ filename: "a.txt" }, null, "Invalid file format for Batch API. Must be .jsonl"],
    [{ filename: "" }, "string_below_min_length", "Invalid 'filename'"],
    [
      { expires_after: { anchor: "created_at", seconds: 1 } },
      "integer_below_min_value",
      "expires_after.seconds",
    ],
    [{ status: "completed" }, "unknown_parameter", "Unknown parameter: 'status'."],
  ])("refuses to create one with %j", async (params, code, message) => {
    const server = await startTestServer();
    const { status, body } = await createUpload(server, params);
    expect({ status, ...body }).toMatchObject({
      status: 400,
      error: { code, message: expect.stringContaining(message) },
    });
  });

  it("takes 8 GiB, and every purpose that a file may have", async () => {
    const server = await startTestServer();
    for (const purpose of ["fine-tune", "assistants", "batch", "user_data", "vision", "evals"]) {
      expect(await createUpload(server, { purpose, bytes: 8_589_934_592 })).toMatchObject({ status: 200 });
    }
  });

  it("completes any sequence of parts to exactly their concatenation, or refuses it and stays pending", async () => {
    const server = await startTestServer();
    const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 });
    const picks = fc.array(fc.nat({ max: 6 }), { maxLength: 6 });
    const difference = fc.constantFrom(0, 0, 0, 1, -1);
    await fc.assert(
      fc.asyncProperty(pieces, picks, difference, async (parts, picked, off) => {
        const chosen = parts.length === 0 ? [] : picked.map((index) => index % parts.length);
        const wanted = Buffer.concat(chosen.map((index) => parts[index] ?? new Uint8Array()));
        const bytes = Math.max(1, wanted.length + off);
        const { id } = (await createUpload(server, { purpose: "fine-tune", bytes })).body;
        const sent = await Promise.all(parts.map((part) => addPart(server, id, part)));
        const answer = await completeUpload(
          server,
          id,
          chosen.map((index) => sent[index]?.body.id),
        );
        const isRepeated = new Set(chosen).size < chosen.length;
        if (isRepeated || bytes !== wanted.length) {
          expect(answer).toMatchObject({ status: 400, body: { error: { type: "invalid_request_error" } } });
          expect(await server.instance.control.getUpload(project, id)).toMatchObject({ status: "pending" });
        } else {
          expect(answer.status).toBe(200);
          expect(await contentOf(server, (answer.body.file as { id: string }).id)).toEqual(wanted);
        }
      }),
      { numRuns: 60 },
    );
    expect(server.logged).toEqual([]);
  });

  it.each([
    ["an unknown part", (part: string) => [part.replace(/.$/, (end) => (end === "0" ? "1" : "0"))], {}],
    ["a part of another upload", (_: string, foreign: string) => [foreign], {}],
    ["a part twice", (part: string) => [part, part], {}],
    ["a part too few", () => [], {}],
    ["something that is no list", () => "part_x", {}],
    ["something that is no id", () => ["../../etc/passwd"], {}],
    ["no list", () => undefined, {}],
    ["a wrong sum", (part: string) => [part], { md5: "0".repeat(32) }],
    ["something that is no sum", (part: string) => [part], { md5: "zz" }],
    ["an unknown key", (part: string) => [part], { status: "completed" }],
  ])("refuses to complete one with %s, and completes it afterwards", async (_, ids, more) => {
    const server = await startTestServer();
    const { id } = (await createUpload(server)).body;
    const part = (await addPart(server, id, uploadLine)).body.id;
    const other = (await createUpload(server)).body;
    const foreign = (await addPart(server, other.id, uploadLine)).body.id;
    const { status, body } = await completeUpload(server, id, ids(part, foreign), more);
    expect({ status, ...body }).toMatchObject({ status: 400, error: { type: "invalid_request_error" } });
    const files = (await server.instance.service.files.list(project)).data;
    expect(files).toEqual([]);
    expect((await storedKeys(server.instance.dataDir)).toSorted()).toEqual([part, foreign].toSorted());
    const md5 = createHash("md5").update(uploadLine).digest("hex").toUpperCase();
    expect(await completeUpload(server, id, [part], { md5 })).toMatchObject({ status: 200 });
  });

  it("is refused when it is announced as empty, before anything is stored", async () => {
    const server = await startTestServer();
    expect(await createUpload(server, { bytes: 0 })).toMatchObject({
      status: 400,
      body: {
        error: {
          code: "empty_file",
          param: "bytes",
          message: "Cannot create the upload: 'bytes' is 0, and an empty file cannot be used",
        },
      },
    });
    expect(await createUpload(server, { bytes: 1 })).toMatchObject({ status: 200 });
  });

  it("holds the finished file to the rules of files, and stays pending", async () => {
    const server = await startTestServer();
    const wrong = (await createUpload(server, { bytes: 8 })).body;
    const part = (await addPart(server, wrong.id, "no json\n")).body.id;
    const refused = await completeUpload(server, wrong.id, [part]);
    expect(refused.body.error?.message).toMatch(/^Invalid file format/);
    expect(await storedKeys(server.instance.dataDir)).toEqual([part]);
    expect(await server.instance.control.getUpload(project, wrong.id)).toMatchObject({ status: "pending" });
  });

  it("completes once when it is asked several times at once", async () => {
    const server = await startTestServer();
    const { id } = (await createUpload(server)).body;
    const part = (await addPart(server, id, uploadLine)).body.id;
    const answers = await Promise.all(Array.from({ length: 5 }, () => completeUpload(server, id, [part])));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409, 409]);
    expect((await server.instance.service.files.list(project)).data).toHaveLength(1);
    expect(await storedKeys(server.instance.dataDir)).toHaveLength(1);
  });

  it("takes nothing any more once it is completed", async () => {
    const server = await startTestServer();
    const { id } = (await createUpload(server)).body;
    const part = (await addPart(server, id, uploadLine)).body.id;
    await completeUpload(server, id, [part]);
    const conflict = { status: 409, shouldRetry: "false", body: { error: { code: "upload_completed" } } };
    expect(await completeUpload(server, id, [part])).toMatchObject(conflict);
    expect(await post(server, `/v1/uploads/${id}/cancel`, "")).toMatchObject(conflict);
    expect(await addPart(server, id, uploadLine)).toMatchObject({
      status: 400,
      body: { error: { code: null } },
    });
  });

  it("takes nothing any more once it is cancelled, which may be said twice", async () => {
    const server = await startTestServer();
    const { id } = (await createUpload(server)).body;
    const part = (await addPart(server, id, uploadLine)).body.id;
    for (const body of ["", "{}"]) {
      const cancelled = await post(server, `/v1/uploads/${id}/cancel`, body);
      expect(cancelled).toMatchObject({ status: 200, body: { id, status: "cancelled", file: null } });
    }
    const refused = { status: 400, body: { error: { code: null } } };
    expect(await completeUpload(server, id, [part])).toMatchObject(refused);
    expect(await addPart(server, id, uploadLine)).toMatchObject(refused);
    expect(await storedKeys(server.instance.dataDir)).toEqual([]);
  });

  it("is expired after an hour, to the second", async () => {
    const clock = createTestClock();
    const server = await startTestServer({ instance: await openTestInstance({ clock }) });
    const { id } = (await createUpload(server)).body;
    clock.jump(3_599_000);
    const part = await addPart(server, id, uploadLine);
    expect(part.status).toBe(200);
    clock.jump(1_000);
    for (const answer of [
      await addPart(server, id, uploadLine),
      await completeUpload(server, id, [part.body.id]),
      await post(server, `/v1/uploads/${id}/cancel`, ""),
    ]) {
      expect(answer.status).toBe(400);
      expect(answer.body.error?.message).toContain("its status is 'expired'");
    }
  });

  it.each(["cancel", "completion"])(
    "refuses a part that a %s overtakes, and keeps no bytes of it",
    async (how) => {
      const server = await startTestServer();
      const { uploads } = server.instance.service;
      const { id } = (await createUpload(server)).body;
      const part = (await addPart(server, id, uploadLine)).body.id;
      const late = await uploads.beginPart(project, id);
      await late.write([Buffer.from(uploadLine)]);
      if (how === "cancel") await uploads.cancel(project, id);
      else await uploads.complete(project, id, { part_ids: [part] });
      await expect(late.finish()).rejects.toMatchObject({ code: "upload_not_pending" });
      expect(await storedKeys(server.instance.dataDir)).toHaveLength(how === "cancel" ? 0 : 1);
    },
  );

  it("is not completed when a cancel overtakes the copy, and leaves no bytes", async () => {
    const server = await startTestServer();
    const { fileStore, service, dataDir } = server.instance;
    const { id } = (await createUpload(server)).body;
    const part = (await addPart(server, id, uploadLine)).body.id;
    const open = fileStore.open;
    fileStore.open = async (key) => {
      await service.uploads.cancel(project, id);
      return open(key);
    };
    const answer = await completeUpload(server, id, [part]);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: null, param: null } } });
    expect(answer.body.error?.message).toContain("its status is 'cancelled'");
    expect(await storedKeys(dataDir)).toEqual([]);
  });

  it("answers for an upload of another project exactly as for one that never was", async () => {
    const server = await startTestServer();
    const { uploads } = server.instance.service;
    const params = { filename: "a.jsonl", purpose: "batch", bytes: 3, mime_type: "x" };
    const foreign = (await uploads.create("other", params)).id;
    const unknown = `upload_${"0".repeat(32)}`;
    for (const id of [foreign, unknown, "upload_x", "..%2f..%2fetc%2fpasswd"]) {
      for (const answer of [
        await addPart(server, id, uploadLine),
        await completeUpload(server, id, []),
        await post(server, `/v1/uploads/${id}/cancel`, ""),
      ]) {
        const error = {
          message: `No such Upload object: ${decodeURIComponent(id)}`,
          type: "invalid_request_error",
          param: "id",
          code: null,
        };
        expect(answer).toMatchObject({ status: 404, body: { error } });
      }
    }
  });
});

describe("the OpenAI SDK", () => {
  it("uploads in parts, and is told once what cannot be repeated", async () => {
    const server = await startTestServer();
    const client = new OpenAI({ apiKey: "unused", baseURL: `${server.url}/v1` });
    const upload = await client.uploads.create({
      filename: "a.jsonl",
      purpose: "batch",
      bytes: uploadLine.length,
      mime_type: "application/jsonl",
    });
    const data = [uploadLine.slice(0, 3), uploadLine.slice(3)];
    const parts = await Promise.all(
      data.map(async (text) =>
        client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(text)) }),
      ),
    );
    const part_ids = parts.map(({ id }) => id);
    const md5 = createHash("md5").update(uploadLine).digest("hex");
    const completed = await client.uploads.complete(upload.id, { part_ids, md5 });
    expect(completed).toMatchObject({ status: "completed", file: { bytes: uploadLine.length } });
    const content = await client.files.content(completed.file?.id ?? "");
    expect(await content.text()).toBe(uploadLine);
    await expect(client.uploads.complete(upload.id, { part_ids })).rejects.toMatchObject({
      status: 409,
      code: "upload_completed",
    });
    await expect(client.uploads.cancel(upload.id)).rejects.toBeInstanceOf(OpenAI.ConflictError);
    const other = await client.uploads.create({ filename: "b", purpose: "vision", bytes: 1, mime_type: "x" });
    expect(await client.uploads.cancel(other.id)).toMatchObject({ status: "cancelled" });
  });
});
