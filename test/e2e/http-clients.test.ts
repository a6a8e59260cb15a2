import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { openTestInstance, project, requestLine, uploadInput } from "../support/http-instance.ts";
import { startTestServer } from "../support/http-server.ts";
import { statuses, talk } from "../support/raw-http.ts";

const get = "GET /v1/files HTTP/1.1\r\nhost: localhost\r\n";
const next = `${get}connection: close\r\n\r\n`;

describe("a client that waits to be asked for its body", () => {
  const form = [
    '--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
    '--x\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\n\r\n--x--\r\n',
  ].join("");
  const head = `POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\nexpect: 100-continue\r\ncontent-length: ${form.length}\r\n`;

  it("is asked, once, and then answered", async () => {
    const server = await startTestServer();
    const { socket, until } = await talk(server.port);
    socket.write(`${head}\r\n`);
    expect(await until(/\r\n\r\n/)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    socket.write(form);
    expect(statuses(await until(/"status_details"/))).toEqual(["100", "200"]);
    socket.write(next);
    await until(/"has_more"/);
  });

  it("is refused without its body when it has no key", async () => {
    const instance = await openTestInstance();
    await instance.service.keys.create({});
    const server = await startTestServer({ instance });
    const { socket, closed } = await talk(server.port);
    socket.write(`${head}\r\n`);
    const answer = await closed;
    expect(statuses(answer)).toEqual(["401"]);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
  });

  it("is refused without its body when it asks for something that is not there", async () => {
    const server = await startTestServer();
    const { socket, closed } = await talk(server.port);
    socket.write(
      `POST /v1/nothing HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n`,
    );
    expect(statuses(await closed)).toEqual(["404"]);
  });
});

describe("slow clients and many of them", () => {
  it("a head that does not come to its end is cut off", async () => {
    const server = await startTestServer({ headMs: 100 });
    expect(await server.raw(`${get}x: y`)).toMatch(/^HTTP\/1\.1 408 [\s\S]*connection: close/);
    const { socket, closed } = await talk(server.port);
    socket.write(`${get}x: `);
    const timer = setInterval(() => socket.write("a"), 10);
    onTestFinished(() => clearInterval(timer));
    expect(statuses(await closed)).toEqual(["408"]);
  });

  it.each([
    ["GET", "/v1/files", 200],
    ["DELETE", "/v1/files/file-x", 404],
    ["POST", "/v1/batches/batch_x/cancel", 404],
  ])(
    "a body of a %s %s that nobody reads and that does not come holds no connection",
    async (method, path, status) => {
      const server = await startTestServer({ lingerMs: 50 });
      const answer = await server.raw(
        `${method} ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n`,
      );
      expect(statuses(answer)).toEqual([String(status)]);
    },
  );

  it("a client that does not close after its bad request is closed", async () => {
    const server = await startTestServer({ lingerMs: 50 });
    const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    const closed = new Promise((resolve) => socket.on("close", resolve));
    const ended = new Promise((resolve) => socket.on("end", resolve));
    socket.on("error", () => {});
    socket.resume().write("no HTTP\r\n\r\n");
    await ended;
    // Only a connection that is gone on the other side makes writing fail.
    const timer = setInterval(() => socket.write("x"), 10);
    await closed;
    clearInterval(timer);
  });

  it("a client that takes nothing of its answer is cut off, and one whose answer is long in coming is not", async () => {
    const server = await startTestServer({ answerIdleMs: 200, maxConnections: 2 });
    const { instance } = server;
    const input = await uploadInput(instance, `${requestLine("a")}\n${" ".repeat(32 * 1024 * 1024)}`);
    const params = { input_file_id: input.id, endpoint: "/v1/embeddings", completion_window: "24h" };
    const { id } = await instance.service.batches.create(project, params);
    const waiting = await talk(server.port);
    waiting.socket.write(`GET /v1/batches/${id}/results?follow=true HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await waiting.until(/\r\n\r\n/);
    const stalled = connect(server.port, "127.0.0.1");
    onTestFinished(() => void stalled.destroy());
    stalled.pause().write(`GET /v1/files/${input.id}/content HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await once(stalled, "connect");
    await untilThereIsRoom(server.port);
    expect(await Promise.race([waiting.closed, "still waits"])).toBe("still waits");
    waiting.socket.destroy();
  });

  it("connections beyond the limit are closed, and free ones can be used", async () => {
    const server = await startTestServer({ maxConnections: 2 });
    const [first, second] = [await talk(server.port), await talk(server.port)];
    for (const { socket, until } of [first, second]) {
      socket.write(`${get}\r\n`);
      await until(/"has_more"/);
    }
    const third = await talk(server.port);
    third.socket.write(`${get}\r\n`);
    expect(await third.closed).toBe("");
    first.socket.end();
    await first.closed;
    // The server may learn a moment later than the client that there is room.
    await untilThereIsRoom(server.port);
  });
});

describe("methods", () => {
  it("HEAD is answered like GET, without a body", async () => {
    const server = await startTestServer();
    const { id } = await uploadInput(server.instance, `${requestLine("a")}\n`);
    const params = { input_file_id: id, endpoint: "/v1/embeddings", completion_window: "24h" };
    const batch = await server.instance.service.batches.create("default", params);
    const paths = [
      ...["/healthz", "/readyz", "/v1/models", "/v1/files", `/v1/files/${id}`, `/v1/files/${id}/content`],
      ...["/v1/batches", `/v1/batches/${batch.id}`, `/v1/batches/${batch.id}/results`, "/v1/files/file-x"],
    ];
    for (const path of paths) {
      const whole = await server.send(path);
      const head = await server.send(path, { method: "HEAD" });
      expect([path, head.status, head.headers.get("content-type")]).toEqual([
        ...[path, whole.status, whole.headers.get("content-type")],
      ]);
      expect(await head.text()).toBe("");
      await whole.text();
    }
  });

  it.each(["OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND"])(
    "%s is unknown where it means nothing",
    async (method) => {
      const server = await startTestServer();
      const answer = await server.raw(
        `${method} /v1/batches HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
      );
      expect(statuses(answer)).toEqual(["404"]);
      expect(answer).toContain(`"message":"Invalid URL (${method} /v1/batches)"`);
    },
  );

  it("bodies that say that they are JSON and are empty are taken where none is needed", async () => {
    const server = await startTestServer();
    const { id } = await uploadInput(server.instance, `${requestLine("a")}\n`);
    const empty = "content-type: application/json\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const params = { input_file_id: id, endpoint: "/v1/embeddings", completion_window: "24h" };
    const batch = await server.instance.service.batches.create("default", params);
    server.instance.engine.canStart = false;
    const send = (what: string) => server.raw(`${what} HTTP/1.1\r\nhost: localhost\r\n${empty}`);
    expect(statuses(await send(`POST /v1/batches/${batch.id}/cancel`))).toEqual(["200"]);
    const { id: unused } = await uploadInput(server.instance, `${requestLine("a")}\n`);
    expect(statuses(await send(`DELETE /v1/files/${unused}`))).toEqual(["200"]);
  });
});

describe("a server that stops", () => {
  it("does not wait for connections that never asked for anything", async () => {
    const server = await startTestServer();
    const silent = await talk(server.port);
    const half = await talk(server.port);
    half.socket.write("GET /v1/files HT");
    // Both have come by the time another one is answered.
    const other = await talk(server.port);
    other.socket.write(next);
    await other.closed;
    await server.close({ graceMs: 60_000 });
    expect(await silent.closed).toBe("");
    await half.closed;
  });

  it("closes idle connections at once, and busy ones behind their answers", async () => {
    const server = await startTestServer();
    const { files } = server.instance.service;
    const list = files.list;
    const begun = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const idle = await talk(server.port);
    idle.socket.write(`${get}\r\n`);
    await idle.until(/"has_more"/);
    files.list = async (...args) => {
      begun.resolve();
      await released.promise;
      return list(...args);
    };
    const busy = await talk(server.port);
    busy.socket.write(`${get}\r\n`);
    await begun.promise;
    const stopped = server.close({ graceMs: 60_000 });
    await idle.closed;
    released.resolve();
    const answer = await busy.closed;
    expect(statuses(answer)).toEqual(["200"]);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    await stopped;
  });

  it("breaks off what takes longer than its grace", async () => {
    const server = await startTestServer();
    const begun = Promise.withResolvers<void>();
    server.instance.service.files.list = () => {
      begun.resolve();
      return new Promise(() => {});
    };
    const busy = await talk(server.port);
    busy.socket.write(`${get}\r\n`);
    await begun.promise;
    await server.close({ graceMs: 10 });
    expect(await busy.closed).toBe("");
  });
});

/** Asks until a connection is not closed as one too many. */
async function untilThereIsRoom(port: number): Promise<void> {
  for (let answer = ""; answer === ""; ) {
    const other = await talk(port);
    other.socket.write(next);
    answer = await Promise.race([other.until(/"has_more"/), other.closed]);
    if (answer !== "") expect(statuses(answer)).toEqual(["200"]);
  }
}
