import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { json } from "node:stream/consumers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anUpload } from "../support/control-rows.ts";
import { openTestInstance, project } from "../support/http-instance.ts";
import { startServeProcess } from "../support/http-process.ts";
import { inputForm, startTestServer } from "../support/http-server.ts";
import { storedKeys } from "../support/stored.ts";
import {
  type Answer,
  addPart,
  completeUpload,
  contentOf,
  createUpload,
  post,
  uploadLine,
} from "../support/uploads.ts";

const partBytes = 67_108_864;

describe("a part of an upload", () => {
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
    const { id } = (await createUpload(server)).body;
    const answer = await post(server, `/v1/uploads/${id}/parts`, makeBody());
    expect(answer).toMatchObject({ status: 400, body: { error: { code, param } } });
    expect(await storedKeys(server.instance.dataDir)).toEqual([]);
    expect(await server.instance.control.getUpload(project, id)).toMatchObject({ part_count: 0 });
  });

  it("takes a part of 64 MiB, and refuses a larger one while it comes", async () => {
    const server = await startTestServer();
    const { id } = (await createUpload(server, { bytes: 1_000_000_000 })).body;
    expect(await addPart(server, id, Buffer.alloc(partBytes))).toMatchObject({ status: 200 });
    const refused = await sendEndless(`${server.url}/v1/uploads/${id}/parts`, "data");
    expect(refused).toMatchObject({
      status: 400,
      body: { error: { message: `Cannot store the part: it is larger than ${partBytes} bytes`, code: null } },
    });
    expect(await server.instance.control.getUpload(project, id)).toMatchObject({ part_count: 1 });
    expect(await storedKeys(server.instance.dataDir)).toHaveLength(1);
  });

  it("stores no more than twice what was announced and one part", async () => {
    const server = await startTestServer();
    const { id } = (await createUpload(server, { bytes: 10 })).body;
    expect(await addPart(server, id, Buffer.alloc(partBytes))).toMatchObject({ status: 200 });
    expect(await addPart(server, id, Buffer.alloc(20))).toMatchObject({ status: 200 });
    const full = await addPart(server, id, Buffer.alloc(1));
    expect(full.status).toBe(400);
    expect(full.body.error?.message).toContain(
      "which announced 10 bytes, may have 67108884 bytes altogether",
    );
    expect(await storedKeys(server.instance.dataDir)).toHaveLength(2);
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

describe("the largest file through POST /v1/files", () => {
  it("is refused while it comes when it is larger than the operator set", async () => {
    const instance = await openTestInstance({ maxFileBytes: uploadLine.length });
    const server = await startTestServer({ instance });
    expect((await post(server, "/v1/files", inputForm(uploadLine))).status).toBe(200);
    const refusal = { message: "File is too large.", type: "invalid_request_error", param: null, code: null };
    const larger = await post(server, "/v1/files", inputForm(`${uploadLine} `));
    expect(larger).toMatchObject({ status: 400, body: { error: refusal } });
    const endless = await sendEndless(`${server.url}/v1/files`, "file");
    expect(endless).toMatchObject({ status: 400, body: { error: refusal } });
    expect(await storedKeys(instance.dataDir)).toHaveLength(1);
  });

  it("is what the option of the command says", async () => {
    const server = await startServeProcess({
      upstream: "http://127.0.0.1:9/v1",
      args: ["--max-file-bytes", "1KiB"],
    });
    const send = async (text: string) =>
      (await fetch(`${server.url}/v1/files`, { method: "POST", body: inputForm(text) })).status;
    expect(await send(uploadLine.padEnd(1_024))).toBe(200);
    expect(await send(uploadLine.padEnd(1_025))).toBe(400);
  });

  it("does not hold for what comes in parts or from this process", async () => {
    const instance = await openTestInstance({ maxFileBytes: 1 });
    const server = await startTestServer({ instance });
    const { id } = (await createUpload(server)).body;
    const part = (await addPart(server, id, uploadLine)).body.id;
    expect(await completeUpload(server, id, [part])).toMatchObject({ status: 200 });
    const staged = await instance.service.files.begin();
    await staged.write([Buffer.from(uploadLine)]);
    await staged.finish(project, { filename: "a.jsonl", purpose: "batch" });
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
function form(fields: Record<string, string | Blob>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") data.set(name, value);
    else data.set(name, value, "upload");
  }
  return data;
}
