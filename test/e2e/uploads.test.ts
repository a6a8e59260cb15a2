import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { json } from "node:stream/consumers";
import fc from "fast-check";
import OpenAI, { toFile } from "openai";
import { describe, expect, it } from "vitest";
import { createTestClock } from "../support/clock.ts";
import { anUpload } from "../support/control-rows.ts";
import { openTestInstance, project, requestLine } from "../support/http-instance.ts";
import { startServeProcess } from "../support/http-process.ts";
import { inputForm, startTestServer, type TestServer } from "../support/http-server.ts";

const line = `${requestLine("a")}\n`;
const partBytes = 67_108_864;

interface Answer {
  status: number;
  shouldRetry: string | null;
  body: Record<string, unknown> & { id: string; error?: { message: string; param: string | null } };
}

async function post(server: TestServer, path: string, body: object | FormData | string): Promise<Answer> {
  const isRaw = body instanceof FormData || typeof body === "string";
  const response = await server.send(path, { method: "POST", body: isRaw ? body : JSON.stringify(body) });
  const answer = (await response.json()) as Answer["body"];
  return { status: response.status, shouldRetry: response.headers.get("x-should-retry"), body: answer };
}

function create(server: TestServer, more: object = {}): Promise<Answer> {
  const params = {
    filename: "a.jsonl",
    purpose: "batch",
    bytes: line.length,
    mime_type: "application/jsonl",
  };
  return post(server, "/v1/uploads", { ...params, ...more });
}

function addPart(server: TestServer, id: string, bytes: string | Uint8Array): Promise<Answer> {
  const form = new FormData();
  form.set("data", new Blob([Uint8Array.from(Buffer.from(bytes))]), "upload");
  return post(server, `/v1/uploads/${id}/parts`, form);
}

function complete(server: TestServer, id: string, part_ids: unknown, more: object = {}): Promise<Answer> {
  return post(server, `/v1/uploads/${id}/complete`, { part_ids, ...more });
}

async function contentOf(server: TestServer, id: string): Promise<Buffer> {
  return Buffer.from(await (await server.send(`/v1/files/${id}/content`)).arrayBuffer());
}

/** A form whose file never ends; resolves when the server answers although the client still sends. */
function sendEndless(url: string, field: string): Promise<{ status: number; body: unknown; sent: number }> {
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = request(url, {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=x" },
    });
    let sent = 0;
    let done = false;
    const chunk = Buffer.alloc(1024 * 1024, "x");
    const more = () => {
      while (!done) {
        sent += chunk.length;
        if (!outgoing.write(chunk)) return;
      }
    };
    outgoing.on("drain", more);
    outgoing.on("error", (reason) => done || reject(reason));
    outgoing.on("response", async (response: IncomingMessage) => {
      const body = await json(response);
      done = true;
      outgoing.destroy();
      resolve({ status: response.statusCode ?? 0, body, sent });
    });
    outgoing.write(`--x\r\ncontent-disposition: form-data; name="${field}"; filename="a.jsonl"\r\n\r\n{}\n`);
    more();
  });
}

async function sendInPieces(url: string, body: Buffer, sizes: number[]): Promise<Answer["body"]> {
  const headers = { "content-type": "multipart/form-data; boundary=boundary" };
  const outgoing = request(url, { method: "POST", headers });
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  for (let at = 0, turn = 0; at < body.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    if (!outgoing.write(body.subarray(at, at + size))) await once(outgoing, "drain");
    at += size;
  }
  outgoing.end();
  const [response] = await answered;
  expect(response.statusCode).toBe(200);
  return (await json(response)) as Answer["body"];
}

describe("uploads", () => {
  it("makes a file of parts in the order of the completion, with all that was announced", async () => {
    const server = await startTestServer({
      instance: await openTestInstance({ clock: createTestClock() }),
    });
    const bytes = Buffer.from(`${line}${line}`);
    const expires_after = { anchor: "created_at", seconds: 3_600 };
    const created = await create(server, { bytes: bytes.length, expires_after });
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
    const completed = await complete(server, id, [first.body.id, last.body.id], { md5 });
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
    expect(await readdir(`${server.instance.dataDir}/files`)).toEqual([fileId]);
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
    const { status, body } = await create(server, params);
    expect({ status, ...body }).toMatchObject({
      status: 400,
      error: { code, message: expect.stringContaining(message) },
    });
  });

  it("takes 8 GiB, and every purpose that a file may have", async () => {
    const server = await startTestServer();
    for (const purpose of ["fine-tune", "assistants", "batch", "user_data", "vision", "evals"]) {
      expect(await create(server, { purpose, bytes: 8_589_934_592 })).toMatchObject({ status: 200 });
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
        const bytes = Math.max(0, wanted.length + off);
        const { id } = (await create(server, { purpose: "fine-tune", bytes })).body;
        const sent = await Promise.all(parts.map((part) => addPart(server, id, part)));
        const answer = await complete(
          server,
          id,
          chosen.map((index) => sent[index]?.body.id),
        );
        const isRepeated = new Set(chosen).size < chosen.length;
        if (isRepeated || bytes !== wanted.length || bytes === 0) {
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
    const { id } = (await create(server)).body;
    const part = (await addPart(server, id, line)).body.id;
    const other = (await create(server)).body;
    const foreign = (await addPart(server, other.id, line)).body.id;
    const { status, body } = await complete(server, id, ids(part, foreign), more);
    expect({ status, ...body }).toMatchObject({ status: 400, error: { type: "invalid_request_error" } });
    const files = (await server.instance.service.files.list(project)).data;
    expect(files).toEqual([]);
    expect((await readdir(`${server.instance.dataDir}/files`)).toSorted()).toEqual(
      [part, foreign].toSorted(),
    );
    const md5 = createHash("md5").update(line).digest("hex").toUpperCase();
    expect(await complete(server, id, [part], { md5 })).toMatchObject({ status: 200 });
  });

  it("holds the finished file to the rules of files, and stays pending", async () => {
    const server = await startTestServer();
    const empty = (await create(server, { bytes: 0 })).body;
    expect(await complete(server, empty.id, [])).toMatchObject({
      status: 400,
      body: { error: { code: "empty_file" } },
    });
    const wrong = (await create(server, { bytes: 8 })).body;
    const part = (await addPart(server, wrong.id, "no json\n")).body.id;
    const refused = await complete(server, wrong.id, [part]);
    expect(refused.body.error?.message).toMatch(/^Invalid file format/);
    expect(await readdir(`${server.instance.dataDir}/files`)).toEqual([part]);
    expect(await server.instance.control.getUpload(project, wrong.id)).toMatchObject({ status: "pending" });
  });

  it("completes once when it is asked several times at once", async () => {
    const server = await startTestServer();
    const { id } = (await create(server)).body;
    const part = (await addPart(server, id, line)).body.id;
    const answers = await Promise.all(Array.from({ length: 5 }, () => complete(server, id, [part])));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409, 409]);
    expect((await server.instance.service.files.list(project)).data).toHaveLength(1);
    expect(await readdir(`${server.instance.dataDir}/files`)).toHaveLength(1);
  });

  it("takes nothing any more once it is completed", async () => {
    const server = await startTestServer();
    const { id } = (await create(server)).body;
    const part = (await addPart(server, id, line)).body.id;
    await complete(server, id, [part]);
    const conflict = { status: 409, shouldRetry: "false", body: { error: { code: "upload_completed" } } };
    expect(await complete(server, id, [part])).toMatchObject(conflict);
    expect(await post(server, `/v1/uploads/${id}/cancel`, "")).toMatchObject(conflict);
    expect(await addPart(server, id, line)).toMatchObject({ status: 400, body: { error: { code: null } } });
  });

  it("takes nothing any more once it is cancelled, which may be said twice", async () => {
    const server = await startTestServer();
    const { id } = (await create(server)).body;
    const part = (await addPart(server, id, line)).body.id;
    for (const body of ["", "{}"]) {
      const cancelled = await post(server, `/v1/uploads/${id}/cancel`, body);
      expect(cancelled).toMatchObject({ status: 200, body: { id, status: "cancelled", file: null } });
    }
    const refused = { status: 400, body: { error: { code: null } } };
    expect(await complete(server, id, [part])).toMatchObject(refused);
    expect(await addPart(server, id, line)).toMatchObject(refused);
    expect(await readdir(`${server.instance.dataDir}/files`)).toEqual([]);
  });

  it("is expired after an hour, to the second", async () => {
    const clock = createTestClock();
    const server = await startTestServer({ instance: await openTestInstance({ clock }) });
    const { id } = (await create(server)).body;
    clock.jump(3_599_000);
    const part = await addPart(server, id, line);
    expect(part.status).toBe(200);
    clock.jump(1_000);
    for (const answer of [
      await addPart(server, id, line),
      await complete(server, id, [part.body.id]),
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
      const { id } = (await create(server)).body;
      const part = (await addPart(server, id, line)).body.id;
      const late = await uploads.beginPart(project, id);
      await late.write([Buffer.from(line)]);
      if (how === "cancel") await uploads.cancel(project, id);
      else await uploads.complete(project, id, { part_ids: [part] });
      await expect(late.finish()).rejects.toMatchObject({ code: "upload_not_pending" });
      expect(await readdir(`${server.instance.dataDir}/files`)).toHaveLength(how === "cancel" ? 0 : 1);
    },
  );

  it("is not completed when a cancel overtakes the copy, and leaves no bytes", async () => {
    const server = await startTestServer();
    const { fileStore, service, dataDir } = server.instance;
    const { id } = (await create(server)).body;
    const part = (await addPart(server, id, line)).body.id;
    const open = fileStore.open;
    fileStore.open = async (key) => {
      await service.uploads.cancel(project, id);
      return open(key);
    };
    const answer = await complete(server, id, [part]);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: null, param: null } } });
    expect(answer.body.error?.message).toContain("its status is 'cancelled'");
    expect(await readdir(`${dataDir}/files`)).toEqual([]);
  });

  it("answers for an upload of another project exactly as for one that never was", async () => {
    const server = await startTestServer();
    const { uploads } = server.instance.service;
    const params = { filename: "a.jsonl", purpose: "batch", bytes: 3, mime_type: "x" };
    const foreign = (await uploads.create("other", params)).id;
    const unknown = `upload_${"0".repeat(32)}`;
    for (const id of [foreign, unknown, "upload_x", "..%2f..%2fetc%2fpasswd"]) {
      for (const answer of [
        await addPart(server, id, line),
        await complete(server, id, []),
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

  it.each([
    ["no data", () => new FormData(), "missing_required_parameter", "data"],
    [
      "another field beside it",
      () => form({ data: new Blob(["x"]), purpose: "batch" }),
      "unknown_parameter",
      "purpose",
    ],
    ["a file of another name", () => form({ file: new Blob(["x"]) }), null, null],
    ["no form", () => "{}", null, null],
  ])("refuses a part with %s", async (_, makeBody, code, param) => {
    const server = await startTestServer();
    const { id } = (await create(server)).body;
    const answer = await post(server, `/v1/uploads/${id}/parts`, makeBody());
    expect(answer).toMatchObject({ status: 400, body: { error: { code, param } } });
    expect(await readdir(`${server.instance.dataDir}/files`)).toEqual([]);
    expect(await server.instance.control.getUpload(project, id)).toMatchObject({ part_count: 0 });
  });

  it("takes a part of 64 MiB, and refuses a larger one while it comes", async () => {
    const server = await startTestServer();
    const { id } = (await create(server, { bytes: 1_000_000_000 })).body;
    expect(await addPart(server, id, Buffer.alloc(partBytes))).toMatchObject({ status: 200 });
    const refused = await sendEndless(`${server.url}/v1/uploads/${id}/parts`, "data");
    expect(refused).toMatchObject({
      status: 400,
      body: { error: { message: `Cannot store the part: it is larger than ${partBytes} bytes`, code: null } },
    });
    expect(await server.instance.control.getUpload(project, id)).toMatchObject({ part_count: 1 });
    expect(await readdir(`${server.instance.dataDir}/files`)).toHaveLength(1);
  });

  it("stores no more than twice what was announced and one part", async () => {
    const server = await startTestServer();
    const { id } = (await create(server, { bytes: 10 })).body;
    expect(await addPart(server, id, Buffer.alloc(partBytes))).toMatchObject({ status: 200 });
    expect(await addPart(server, id, Buffer.alloc(20))).toMatchObject({ status: 200 });
    const full = await addPart(server, id, Buffer.alloc(1));
    expect(full.status).toBe(400);
    expect(full.body.error?.message).toContain(
      "which announced 10 bytes, may have 67108884 bytes altogether",
    );
    expect(await readdir(`${server.instance.dataDir}/files`)).toHaveLength(2);
  });

  it("stores no more than 10,000 parts", async () => {
    const server = await startTestServer();
    const { id, expires_at } = anUpload({ expires_at: 4_000_000_000 });
    await server.instance.control.insertUpload(anUpload({ id, expires_at, part_count: 9_999 }));
    expect(await addPart(server, id, "x")).toMatchObject({ status: 200 });
    const refused = await addPart(server, id, "x");
    expect(refused.status).toBe(400);
    expect(refused.body.error?.message).toContain("has 10000 parts, and may not have more");
  });
});

describe("a form that passes through a socket", () => {
  it("keeps every byte of a file that looks like the end of itself, in whatever pieces it comes", async () => {
    const server = await startTestServer();
    const unit = fc.constantFrom(
      "\r\n--",
      "\r\n--boundar",
      "\r\n",
      "-",
      "\n",
      "a".repeat(30_000),
      "z".repeat(70_000),
    );
    const sizes = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(unit, { maxLength: 40 }), sizes, async (units, pieces) => {
        const content = `x${units.join("")}`;
        const head = '--boundary\r\ncontent-disposition: form-data; name="';
        const form = `${head}file"; filename="a"\r\n\r\n${content}\r\n${head}purpose"\r\n\r\nfine-tune\r\n--boundary--\r\n`;
        const { id } = await sendInPieces(`${server.url}/v1/files`, Buffer.from(form), pieces);
        expect((await contentOf(server, id)).equals(Buffer.from(content))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the OpenAI SDK", () => {
  it("uploads in parts, and is told once what cannot be repeated", async () => {
    const server = await startTestServer();
    const client = new OpenAI({ apiKey: "unused", baseURL: `${server.url}/v1` });
    const upload = await client.uploads.create({
      filename: "a.jsonl",
      purpose: "batch",
      bytes: line.length,
      mime_type: "application/jsonl",
    });
    const data = [line.slice(0, 3), line.slice(3)];
    const parts = await Promise.all(
      data.map(async (text) =>
        client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(text)) }),
      ),
    );
    const part_ids = parts.map(({ id }) => id);
    const md5 = createHash("md5").update(line).digest("hex");
    const completed = await client.uploads.complete(upload.id, { part_ids, md5 });
    expect(completed).toMatchObject({ status: "completed", file: { bytes: line.length } });
    const content = await client.files.content(completed.file?.id ?? "");
    expect(await content.text()).toBe(line);
    await expect(client.uploads.complete(upload.id, { part_ids })).rejects.toMatchObject({
      status: 409,
      code: "upload_completed",
    });
    await expect(client.uploads.cancel(upload.id)).rejects.toBeInstanceOf(OpenAI.ConflictError);
    const other = await client.uploads.create({ filename: "b", purpose: "vision", bytes: 1, mime_type: "x" });
    expect(await client.uploads.cancel(other.id)).toMatchObject({ status: "cancelled" });
  });
});

describe("the largest file through POST /v1/files", () => {
  it("is refused while it comes when it is larger than the operator set", async () => {
    const instance = await openTestInstance({ maxFileBytes: line.length });
    const server = await startTestServer({ instance });
    expect((await post(server, "/v1/files", inputForm(line))).status).toBe(200);
    const refusal = { message: "File is too large.", type: "invalid_request_error", param: null, code: null };
    const larger = await post(server, "/v1/files", inputForm(`${line} `));
    expect(larger).toMatchObject({ status: 400, body: { error: refusal } });
    const endless = await sendEndless(`${server.url}/v1/files`, "file");
    expect(endless).toMatchObject({ status: 400, body: { error: refusal } });
    expect(await readdir(`${instance.dataDir}/files`)).toHaveLength(1);
  });

  it("is what the option of the command says", async () => {
    const server = await startServeProcess({
      upstream: "http://127.0.0.1:9/v1",
      args: ["--max-file-bytes", "1KiB"],
    });
    const send = async (text: string) =>
      (await fetch(`${server.url}/v1/files`, { method: "POST", body: inputForm(text) })).status;
    expect(await send(line.padEnd(1_024))).toBe(200);
    expect(await send(line.padEnd(1_025))).toBe(400);
  });

  it("does not hold for what comes in parts or from this process", async () => {
    const instance = await openTestInstance({ maxFileBytes: 1 });
    const server = await startTestServer({ instance });
    const { id } = (await create(server)).body;
    const part = (await addPart(server, id, line)).body.id;
    expect(await complete(server, id, [part])).toMatchObject({ status: 200 });
    const staged = await instance.service.files.begin();
    await staged.write([Buffer.from(line)]);
    await staged.finish(project, { filename: "a.jsonl", purpose: "batch" });
  });
});

function form(fields: Record<string, string | Blob>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") data.set(name, value);
    else data.set(name, value, "upload");
  }
  return data;
}
