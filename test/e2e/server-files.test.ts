import { describe, expect, it } from "vitest";
import { project, requestLine, uploadInput } from "../support/http-instance.ts";
import { startTestServer, upload } from "../support/http-server.ts";

describe("server, files", () => {
  it("takes a file, shows it, lists it, gives it back and deletes it", async () => {
    const server = await startTestServer();
    const file = await upload(server);
    expect(file).toMatchObject({
      object: "file",
      filename: "input.jsonl",
      purpose: "batch",
      status: "processed",
    });
    expect(await (await server.send(`/v1/files/${file.id}`)).json()).toEqual(file);
    expect(await (await server.send("/v1/files")).json()).toEqual({
      object: "list",
      data: [file],
      first_id: file.id,
      last_id: file.id,
      has_more: false,
    });
    const content = await server.send(`/v1/files/${file.id}/content`, {
      headers: { accept: "application/binary" },
    });
    expect(await content.text()).toBe(`${requestLine("a")}\n`);
    const deleted = await server.send(`/v1/files/${file.id}`, {
      method: "DELETE",
      headers: { "content-type": "application/json" },
    });
    expect(await deleted.json()).toEqual({ id: file.id, object: "file", deleted: true });
    expect((await server.send(`/v1/files/${file.id}`)).status).toBe(404);
  });

  it.each([
    ["the disk is full", 507],
    ["the form is bad", 400],
  ])(
    "answers an upload that it refuses early because %s, though the client sends on",
    async (why, status) => {
      const server = await startTestServer();
      const { files } = server.instance.service;
      const begin = files.begin;
      files.begin = async () => {
        const staged = await begin();
        const full = Object.assign(new Error("no space"), { code: "ENOSPC" });
        return { ...staged, write: () => (status === 507 ? Promise.reject(full) : staged.write([])) };
      };
      const head = 'content-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\n';
      const second = why === "the form is bad" ? `\r\n--x\r\n${head}` : "";
      const start = Buffer.from(`--x\r\n${head}${second}`);
      const body = Buffer.concat([start, Buffer.alloc(100_000_000, "y"), Buffer.from("\r\n--x--\r\n")]);
      const post = `POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: ${body.length}\r\n\r\n`;
      const next = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
      // The client looks at no answer before it has sent everything, and then uses the connection again.
      const answers = await server.raw(Buffer.concat([Buffer.from(post), body, Buffer.from(next)]));
      expect(answers).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(answers).toMatch(/\r\n\r\n\{"status":"ok"\}$/);
      expect((await files.list(project)).data).toEqual([]);
    },
  );

  it("downloads whole, in ranges, and not again what the client has", async () => {
    const server = await startTestServer();
    const { id } = await upload(server, "{}\n0123456789");
    const path = `/v1/files/${id}/content`;
    const whole = await server.send(path);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": "13",
      "content-disposition": 'attachment; filename="input.jsonl"',
      "x-content-type-options": "nosniff",
      "accept-ranges": "bytes",
    });
    const etag = whole.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    const get = async (headers: Record<string, string>, method = "GET") => {
      const response = await server.send(path, { headers, method });
      return [response.status, response.headers.get("content-range"), await response.text()];
    };
    expect(await get({ range: "bytes=3-5" })).toEqual([206, "bytes 3-5/13", "012"]);
    expect(await get({ range: "bytes=-2" })).toEqual([206, "bytes 11-12/13", "89"]);
    expect(await get({ range: "bytes=0-1,4-5" })).toEqual([200, null, "{}\n0123456789"]);
    expect(await get({ range: "bytes=3-5", "if-range": etag })).toEqual([206, "bytes 3-5/13", "012"]);
    expect(await get({ range: "bytes=3-5", "if-range": '"other"' })).toEqual([200, null, "{}\n0123456789"]);
    expect(await get({ range: "bytes=13-" })).toEqual([
      416,
      "bytes */13",
      expect.stringContaining("13 bytes"),
    ]);
    expect(await get({ "if-none-match": etag })).toEqual([304, null, ""]);
    expect(await get({ "if-none-match": `"x", W/${etag}` })).toEqual([304, null, ""]);
    expect(await get({ "if-none-match": '"x"' })).toEqual([200, null, "{}\n0123456789"]);
    expect(await get({ "if-match": `"x", ${etag}` })).toEqual([200, null, "{}\n0123456789"]);
    expect(await get({ "if-match": "*", range: "bytes=3-5" })).toEqual([206, "bytes 3-5/13", "012"]);
    for (const other of ['"x"', `W/${etag}`]) {
      expect(await get({ "if-match": other, range: "bytes=3-5" })).toEqual([
        412,
        null,
        expect.stringContaining('"code":"precondition_failed"'),
      ]);
    }
    const head = await server.send(path, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "13", ""]);
  });

  it("ends a request whose body stops coming, and keeps nothing of it", async () => {
    const server = await startTestServer({ bodyIdleMs: 50 });
    const { instance } = server;
    const head = `POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 10000\r\n\r\n`;
    await server.raw(
      `${head}--x\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}`,
    );
    expect((await instance.service.files.list(project)).data).toEqual([]);
  });

  it("uses the default project for everything", async () => {
    const server = await startTestServer();
    const file = await uploadInput(server.instance, `${requestLine("a")}\n`);
    expect((await server.send(`/v1/files/${file.id}`)).status).toBe(200);
  });
});
