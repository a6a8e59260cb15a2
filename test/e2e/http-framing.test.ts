import { describe, expect, it } from "vitest";
import { finishBatch, openTestInstance, requestLine, uploadInput } from "../support/http-instance.ts";
import { startTestServer } from "../support/http-server.ts";
import { statuses, talk } from "../support/raw-http.ts";

const post = "POST /v1/batches HTTP/1.1\r\nhost: localhost\r\n";
const get = "GET /v1/files HTTP/1.1\r\nhost: localhost\r\n";
const chunked = `${post}transfer-encoding: chunked\r\n\r\n`;

/** What a proxy in front may take for something else than we do. */
const badFraming: Record<string, string> = {
  "both lengths": `${post}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "both lengths the other way round": `${post}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n`,
  "two lengths": `${post}content-length: 2\r\ncontent-length: 4\r\n\r\n{}`,
  "two equal lengths": `${post}content-length: 2\r\ncontent-length: 2\r\n\r\n{}`,
  "a list of lengths": `${post}content-length: 2, 2\r\n\r\n{}`,
  "a signed length": `${post}content-length: +2\r\n\r\n{}`,
  "a negative length": `${post}content-length: -2\r\n\r\n{}`,
  "a hexadecimal length": `${post}content-length: 0x2\r\n\r\n{}`,
  "a length beyond 64 bits": `${post}content-length: 99999999999999999999999\r\n\r\n{}`,
  "a space before the colon": `${post}transfer-encoding : chunked\r\n\r\n0\r\n\r\n`,
  "an unknown encoding": `${post}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`,
  "identity and a length": `${post}transfer-encoding: identity\r\ncontent-length: 2\r\n\r\n{}`,
  "chunked in the middle": `${post}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  "chunked twice": `${post}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "chunks in HTTP/1.0": chunked.replace("HTTP/1.1", "HTTP/1.0").concat("0\r\n\r\n"),
  "a folded encoding": `${post}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
  "a folded header": `${get}x: a\r\n b\r\n\r\n`,
  "a folded first header": "GET /v1/files HTTP/1.1\r\n host: localhost\r\n\r\n",
  "bare line feeds": `${get}\r\n`.replaceAll("\r", ""),
  "a bare line feed in the head": `${get}x: y\n\r\n`,
  "a bare carriage return": `${get}x: a\rb: c\r\n\r\n`,
  "line feeds between chunks": `${chunked}2\n{}\n0\n\n`,
  "a chunk size that is no number": `${chunked}ZZ\r\n{}\r\n0\r\n\r\n`,
  "a chunk beyond 64 bits": `${chunked}fffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
  "a chunk that is longer than it says": `${chunked}2\r\n{}xx\r\n0\r\n\r\n`,
  "an endless chunk extension": `${chunked}2;${"x".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
  "NUL in a value": `${get}x: a\0b\r\n\r\n`,
  "NUL in a name": `${get}x\0: ab\r\n\r\n`,
  "no version": "GET /v1/files\r\n\r\n",
  "another version": "GET /v1/files HTTP/1.9\r\nhost: localhost\r\n\r\n",
  "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
};

const next = `${get}connection: close\r\n\r\n`;

describe("framing", () => {
  it.each(Object.entries(badFraming))(
    "%s is answered with 400, and nothing behind it is read",
    async (_name, bytes) => {
      const server = await startTestServer();
      const answers = await server.raw(Buffer.from(`${bytes}${next}`, "latin1"));
      expect(statuses(answers)).toEqual(["400"]);
      expect(answers).toMatch(/\r\nconnection: close\r\n/i);
      expect(answers).toMatch(/\r\nx-request-id: req_[0-9a-f]{32}\r\n/i);
      expect(answers).toContain('"type":"invalid_request_error"');
      expect(server.logged).toEqual([]);
      expect((await server.instance.control.listBatches({ project: null, limit: 1 })).length).toBe(0);
    },
  );

  it.each([
    ["two hosts", `${get}host: evil.example\r\n\r\n`],
    ["two equal hosts", `${get}host: localhost\r\n\r\n`],
    ["no host", "GET /v1/files HTTP/1.1\r\n\r\n"],
    ["TRACE", "TRACE / HTTP/1.1\r\nhost: localhost\r\n\r\n"],
  ])("%s is answered with 400, also where keys let any host in", async (_name, bytes) => {
    const instance = await openTestInstance();
    await instance.service.keys.create({});
    const server = await startTestServer({ instance });
    expect(statuses(await server.raw(`${bytes}${next}`))).toEqual(["400", "401"]);
  });

  it("a tunnel and another protocol are not opened", async () => {
    const server = await startTestServer();
    expect(
      await server.raw(`CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n${next}`),
    ).toBe("");
    const upgrade = `${get}connection: upgrade\r\nupgrade: h2c\r\n\r\n${next}`;
    expect(statuses(await server.raw(upgrade))).toEqual(["200"]);
  });

  it("an expectation that nobody knows is refused", async () => {
    const server = await startTestServer();
    const request = `${post}expect: tea\r\ncontent-length: 2\r\n\r\n{}${next}`;
    const answer = await server.raw(request);
    expect(statuses(answer)).toEqual(["417"]);
    expect(answer).toMatch(/\r\nx-request-id: req_[0-9a-f]{32}\r\n/i);
    expect(answer).toContain(
      '{"error":{"message":"Cannot read the request: Expectation Failed","type":"invalid_request_error","param":null,"code":null}}',
    );
  });

  it("nothing is written into a running answer when what follows on its connection is garbage", async () => {
    const server = await startTestServer();
    const { id: input_file_id } = await uploadInput(server.instance, `${requestLine("a")}\n`);
    const params = { input_file_id, endpoint: "/v1/embeddings", completion_window: "24h" };
    const { id } = await server.instance.service.batches.create("default", params);
    const { socket, until, closed } = await talk(server.port);
    socket.write(`GET /v1/batches/${id}/results?follow=true HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await until(/jsonl[\s\S]*\r\n\r\n/);
    socket.write("this is no HTTP\r\n\r\n");
    expect(statuses(await closed)).toEqual(["200"]);
    await finishBatch(server.instance, id, { output: [0] });
  });
});
