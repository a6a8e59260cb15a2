import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type AskedCall, ask } from "../../test/support/ask.ts";
import {
  closedPort,
  type FaultMode,
  type FaultServer,
  goodAnswer,
  startFaultServer,
} from "../../test/support/fault-server.ts";
import { NerifError } from "../batch/errors.ts";
import { createHttpUpstream, type HttpUpstreamOptions } from "./http.ts";
import type { Answer, Upstream } from "./upstream.ts";

const canary = "sk-canary-0123456789/abc+def";
const maxAnswerBytes = 1024 * 1024;
const neverAborted = new AbortController().signal;

let server: FaultServer;
const opened: Upstream[] = [];

beforeAll(async () => {
  server = await startFaultServer({ headers: { "retry-after": "3" } });
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((upstream) => upstream.close()));
});
afterAll(() => server.close());

function upstreamTo(
  mode: FaultMode | "ok",
  options: Omit<Partial<HttpUpstreamOptions>, "url"> = {},
): Upstream {
  return open({ ...options, url: server.url(mode) });
}

function open(options: Omit<Partial<HttpUpstreamOptions>, "url"> & { url: string }): Upstream {
  const upstream = createHttpUpstream({ name: "test", concurrency: 64, maxAnswerBytes, env: {}, ...options });
  opened.push(upstream);
  return upstream;
}

function call(change: Partial<AskedCall> = {}): AskedCall {
  return {
    endpoint: "/v1/chat/completions",
    body: Buffer.from('{"model":"m"}'),
    idempotencyKey: "batch_1:0:0",
    signal: neverAborted,
    ...change,
  };
}

function textOf(answer: Answer): string {
  return answer.body === null ? "" : Buffer.from(answer.body).toString();
}

const broken = { reason: "reset", status: null, body: null, error: { code: "connection_failed" } };
const oversized = { reason: "too_large", status: null, body: null, error: { code: "response_too_large" } };
const notJson = { reason: "unavailable", error: { code: "invalid_upstream_response" } };

const failures: [FaultMode, object][] = [
  ["rst_before_answer", broken],
  ["rst_in_body", broken],
  ["fin_before_answer", broken],
  ["cut_chunked", broken],
  ["short_content_length", broken],
  ["bad_chunk", broken],
  ["not_http", broken],
  ["hang", { reason: "timeout", status: null, error: { code: "request_timeout" } }],
  ["slow_drip", { reason: "timeout", status: null, error: { code: "request_timeout" } }],
  ["html", { ...notJson, status: 200 }],
  ["bad_gateway", { ...notJson, status: 502 }],
  ["huge_headers", oversized],
  ["endless_body", oversized],
  ["announced_too_large", oversized],
  ["gzip_bomb", oversized],
  ["damaged_gzip", { ...notJson, status: 200 }],
  ["unknown_encoding", { ...notJson, status: 200 }],
  ["invalid_utf8", { ...notJson, status: 200 }],
  [
    "error_in_200",
    { reason: "rejected", status: 200, error: { code: "bad_thing", message: "no such thing" } },
  ],
  ["redirect", { reason: "rejected", status: 307 }],
  ["400", { reason: "rejected", status: 400, retryAfterMs: null, error: { code: "upstream_http_400" } }],
  ["401", { reason: "account", status: 401 }],
  ["403", { reason: "account", status: 403 }],
  ["404", { reason: "rejected", status: 404 }],
  ["408", { reason: "unavailable", status: 408, retryAfterMs: null }],
  ["409", { reason: "unavailable", status: 409 }],
  ["429", { reason: "throttled", status: 429, retryAfterMs: 3_000, error: { code: "upstream_http_429" } }],
  ["500", { reason: "unavailable", status: 500, retryAfterMs: null }],
  ["503", { reason: "unavailable", status: 503, retryAfterMs: 3_000 }],
];

describe("an HTTP upstream", () => {
  test.each(failures)("answers a failure when the server fails by %s", async (mode, expected) => {
    const slow = mode === "hang" || mode === "slow_drip";
    const upstream = upstreamTo(mode, slow ? { requestTimeoutMs: 50 } : {});
    expect(await ask(upstream, call())).toMatchObject({ ok: false, ...expected });
  });

  test.each([
    "ok",
    "tiny_chunks",
    "large_headers",
    "wrong_content_type",
    "early_hints",
    "close_after_answer",
    "gzip",
    "deflate",
    "raw_deflate",
    "br",
    "zstd",
  ] as const)("answers what was sent when the server sends %s", async (mode) => {
    const upstream = upstreamTo(mode);
    const answer = await ask(upstream, call());
    expect(answer).toMatchObject({ ok: true, status: 200, tokens: { input: 7, output: 3, total: 10 } });
    expect(JSON.parse(textOf(answer))).toEqual(goodAnswer);
  });

  test("calls it refused when it does not speak TLS, and says what its URL may have to be", async () => {
    const plain = createTcpServer((socket) =>
      socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    );
    await once(plain.listen(0, "127.0.0.1"), "listening");
    const url = `https://127.0.0.1:${(plain.address() as AddressInfo).port}/v1`;
    expect(await ask(open({ url }), call())).toMatchObject({
      ok: false,
      reason: "refused",
      error: { message: expect.stringMatching(/may have to begin with http:/) },
    });
    plain.close();
  });

  test("calls it refused when nobody listens", async () => {
    const upstream = open({ url: `http://127.0.0.1:${await closedPort()}/v1` });
    const answer = await ask(upstream, call());
    expect(answer).toMatchObject({ ok: false, reason: "refused", error: { code: "connection_failed" } });
    expect(answer.ok ? "" : answer.error.message).toContain("nobody listens there");
  });

  test("calls it refused when the connection is not there in time", async () => {
    const silent = createTcpServer();
    const sockets: Socket[] = [];
    silent.on("connection", (socket) => sockets.push(socket));
    await once(silent.listen(0, "127.0.0.1"), "listening");
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}/v1`;
    const answer = await ask(open({ url, connectTimeoutMs: 50 }), call());
    expect(answer).toMatchObject({ ok: false, reason: "refused" });
    expect(answer.ok ? "" : answer.error.message).toContain("did not accept the connection in time");
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test("calls it refused when the host has no address", async () => {
    const upstream = open({ url: "http://nobody.invalid/v1" });
    expect(await ask(upstream, call())).toMatchObject({ ok: false, reason: "refused" });
  });

  test("holds little memory when answers never end", async () => {
    const upstream = upstreamTo("endless_body");
    const before = process.memoryUsage().arrayBuffers;
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(Array.from({ length: 4 }, () => ask(upstream, call())));
      expect(answers.every((answer) => !answer.ok && answer.reason === "too_large")).toBe(true);
    }
    // Twenty answers of 1 MiB were cut; what the server could send meanwhile is many times that.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });

  test("sends body, key and headers as they are", async () => {
    const upstream = upstreamTo("ok", { apiKey: `${canary}\n` });
    const body = Buffer.from('{"n":12345678901234567890, "f":1.0,"s":"\\u00e9é"}');
    await ask(upstream, call({ body, endpoint: "/v1/embeddings", idempotencyKey: "batch_1:7:2" }));
    const { method, path, headers, body: got } = seen();
    expect({ method, path }).toEqual({ method: "POST", path: "/ok/v1/embeddings" });
    expect(got.equals(body)).toBe(true);
    expect(headers).toMatchObject({
      authorization: `Bearer ${canary}`,
      "idempotency-key": "batch_1:7:2",
      "content-type": "application/json",
      "accept-encoding": "identity",
      "content-length": String(body.length),
    });
    expect(headers["user-agent"]).toMatch(/^nerif\/\d+\.\d+\.\d+/);
  });

  test("sends the headers of the configuration, which take the place of its own", async () => {
    const byName = new Map(Object.entries({ "x-team": "batch", authorization: "Basic abc", accept: "*/*" }));
    await ask(upstreamTo("ok", { apiKey: "k", headers: { byName, secrets: [] } }), call());
    expect(seen().headers).toMatchObject({ "x-team": "batch", authorization: "Basic abc", accept: "*/*" });
  });

  test("changes the name of the model and nothing else when it is another one there", async () => {
    const upstream = upstreamTo("ok", { models: { "gpt-*": "llama-3", "llama-*": null } });
    const bodies = ['{ "model" : "gpt-4o", "n": 1.0 }', '{"model":"llama-3.1","n":1.0}'];
    for (const body of bodies) await ask(upstream, call({ body: Buffer.from(body) }));
    const sent = server.requests.slice(-2);
    expect(sent.map(({ body }) => body.toString())).toEqual(['{ "model" : "llama-3", "n": 1.0 }', bodies[1]]);
    expect(sent.map(({ headers }) => headers["content-length"])).toEqual(["33", "29"]);
  });

  test("puts its priority into bodies that have none", async () => {
    await ask(upstreamTo("ok", { priority: 10 }), call({ body: Buffer.from('{"model":"m"}') }));
    expect(seen().body.toString()).toBe('{"priority":10,"model":"m"}');
  });

  test("trusts the certificates of its own file, and no other server's", async () => {
    const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/${name}`, import.meta.url));
    const [cert, key] = ["localhost-cert.pem", "localhost-key.pem"].map((name) =>
      readFileSync(fixture(name)),
    );
    const secure = createServer({ cert, key }, (_, response) => response.end(JSON.stringify(goodAnswer)));
    await once(secure.listen(0, "127.0.0.1"), "listening");
    const url = `https://localhost:${(secure.address() as AddressInfo).port}/v1`;
    const trusting = open({ url, caFile: fixture("localhost-cert.pem") });
    expect(await ask(trusting, call())).toMatchObject({ ok: true });
    expect(await ask(open({ url }), call())).toMatchObject({
      ok: false,
      reason: "refused",
      error: { message: expect.stringMatching(/nobody who is trusted has signed its certificate/) },
    });
    await Promise.all(opened.splice(0).map((upstream) => upstream.close()));
    secure.close();
  });

  test.each([
    ["/v1", "/ok/v1/chat/completions"],
    ["/v1/", "/ok/v1/chat/completions"],
    ["", "/ok/chat/completions"],
    ["/api/v3", "/ok/api/v3/chat/completions"],
    ["/v1?version=2", "/ok/v1/chat/completions?version=2"],
  ])("takes a base URL that ends in %j", async (end, path) => {
    const url = server.url("ok").replace(/\/v1$/, end);
    await ask(open({ url }), call());
    expect(seen().path).toBe(path);
  });

  test("uses a connection again when calls follow each other", async () => {
    const upstream = upstreamTo("ok");
    for (let i = 0; i < 5; i++) await ask(upstream, call());
    expect(new Set(server.requests.slice(-5).map(({ connection }) => connection)).size).toBe(1);
  });

  test("opens a connection per call when calls run side by side", async () => {
    const upstream = upstreamTo("ok");
    await Promise.all(Array.from({ length: 8 }, () => ask(upstream, call())));
    expect(new Set(server.requests.slice(-8).map(({ connection }) => connection)).size).toBe(8);
  });

  test("sends again by itself when an idle connection was reset under it", async () => {
    const upstream = upstreamTo("ok");
    await ask(upstream, call());
    for (let i = 0; i < 20; i++) {
      // From an immediate, the reset is read before undici dares to write on the idle connection.
      await new Promise((resolve) => setImmediate(resolve));
      server.resetAll();
      expect(await ask(upstream, call())).toMatchObject({ ok: true });
    }
  });

  test("goes on with the same connection list when calls were broken off", async () => {
    const upstream = upstreamTo("hang", { requestTimeoutMs: 20 });
    for (let i = 0; i < 3; i++) {
      expect(await ask(upstream, call())).toMatchObject({ ok: false, reason: "timeout" });
    }
    await server.idle();
    expect(server.connections()).toBe(0);
  });

  test("leaves no connection open when it is closed", async () => {
    const upstream = upstreamTo("ok");
    const hanging = upstreamTo("hang");
    await Promise.all(Array.from({ length: 8 }, () => ask(upstream, call())));
    const pending = ask(hanging, call());
    await waitUntil(() => server.requests.at(-1)?.mode === "hang");
    await Promise.all([upstream.close(), hanging.close()]);
    expect(await pending).toMatchObject({ ok: false, reason: "aborted" });
    await server.idle();
    expect(await ask(upstream, call())).toMatchObject({ ok: false, reason: "aborted" });
  });

  test("breaks off only the calls whose signal aborts", async () => {
    const upstream = upstreamTo("hang");
    const one = new AbortController();
    const other = new AbortController();
    const calls = [one, one, other].map(({ signal }) => ask(upstream, call({ signal })));
    await waitUntil(() => server.connections() >= 3);
    one.abort();
    expect(await calls[0]).toMatchObject({ ok: false, reason: "aborted", status: null, body: null });
    expect(await calls[1]).toMatchObject({ ok: false, reason: "aborted" });
    expect(await Promise.race([calls[2], Promise.resolve("still under way")])).toBe("still under way");
    other.abort();
    expect(await calls[2]).toMatchObject({ ok: false, reason: "aborted" });
  });

  test("sends nothing when the signal has aborted before", async () => {
    const upstream = upstreamTo("ok");
    const answer = await ask(upstream, call({ signal: AbortSignal.abort(), idempotencyKey: "too late" }));
    expect(answer).toMatchObject({ ok: false, reason: "aborted" });
    await ask(upstream, call());
    expect(server.requests.map(({ headers }) => headers["idempotency-key"])).not.toContain("too late");
  });

  test("sends nothing when the signal aborts while it connects", async () => {
    const controller = new AbortController();
    const upstream = upstreamTo("ok");
    const answer = ask(upstream, call({ signal: controller.signal, idempotencyKey: "aborted" }));
    controller.abort();
    expect(await answer).toMatchObject({ ok: false, reason: "aborted" });
    for (let i = 0; i < 3; i++) expect(await ask(upstream, call())).toMatchObject({ ok: true });
    expect(server.requests.map(({ headers }) => headers["idempotency-key"])).not.toContain("aborted");
  });

  test("listens once to a signal that many calls share", async () => {
    const { signal } = new AbortController();
    const upstream = upstreamTo("ok");
    await Promise.all(Array.from({ length: 50 }, () => ask(upstream, call({ signal }))));
    expect(getEventListeners(signal, "abort").length).toBe(1);
  });

  test.each(["echo_headers", "echo_headers_400", "echo_headers_text"] as const)(
    "keeps the key to itself when the server sends it back by %s",
    async (mode) => {
      const answer = await ask(upstreamTo(mode, { apiKey: canary }), call());
      expect(answer.status).not.toBeNull();
      const all = JSON.stringify({ ...answer, body: textOf(answer) });
      expect(all).toContain("****");
      expect(all).not.toContain(canary);
      expect(JSON.parse(textOf(answer))).toBeTypeOf("object");
    },
  );

  test("keeps what its headers hold of variables to itself as well", async () => {
    const headers = { byName: new Map([["x-gateway-key", canary]]), secrets: [canary] };
    const answer = await ask(upstreamTo("echo_headers", { apiKey: "another-key-0123", headers }), call());
    expect(textOf(answer)).toContain("****");
    expect(textOf(answer)).not.toMatch(/canary|another-key/);
  });

  test("lets the process end in the middle of a call when it is told not to keep it alive", async () => {
    const script = `
      import { createHttpUpstream } from ${JSON.stringify(new URL("http.ts", import.meta.url).href)};
      const upstream = createHttpUpstream({ name: "x", url: process.argv[1], concurrency: 1, env: {}, keepAlive: false });
      const call = { endpoint: "/v1/embeddings", body: Buffer.from("{}"), signal: new AbortController().signal };
      const hold = setInterval(() => {}, 1_000);
      await new Promise((onAnswer) => upstream.send({ ...call, onAnswer, idempotencyKey: "first" }));
      await new Promise((resolve) => setTimeout(resolve, 20)); // undici lets go of the idle connection, and takes it again
      upstream.send({ ...call, onAnswer() {}, idempotencyKey: "second" });
      upstream.send({ ...call, onAnswer() {}, idempotencyKey: "third" });
      setTimeout(() => clearInterval(hold), 50);`;
    const flags = ["--input-type=module", "--eval", script, server.url("answers_first")];
    const child = spawn(process.execPath, flags, { stdio: "inherit" });
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("serves the models that fit its globs", () => {
    const upstream = upstreamTo("ok", { models: ["llama-*", "gpt-4?"] });
    expect(["llama-3", "gpt-4o", "gpt-4", null].map((model) => upstream.serves(model))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test("throws when the models cannot be listed", async () => {
    const listing = upstreamTo("500").models(neverAborted);
    await expect(listing).rejects.toMatchObject({ code: "upstream_unreachable" });
    await expect(upstreamTo("ok").models(neverAborted)).rejects.toBeInstanceOf(NerifError);
  });

  test.each([
    [{ url: "localhost:8000/v1" }, "not an http or https URL"],
    [{ url: "http://me:secret@localhost/v1" }, "holds credentials"],
    [{ url: "http://localhost/v1", apiKey: "clé" }, "characters that a header cannot carry"],
    [{ url: "https://localhost/v1", env: { SSL_CERT_FILE: "/nowhere.pem" } }, "SSL_CERT_FILE"],
    [{ url: "https://localhost/v1", caFile: "/nowhere.pem" }, "ca_file names: the file cannot be read"],
    [{ url: "https://localhost/v1", caFile: import.meta.filename }, "ca_file names: the file holds none"],
  ])("refuses to be made of %j", (options, reason) => {
    expect(() => open(options)).toThrow(reason);
    expect(() => open(options)).toThrow(expect.objectContaining({ code: "invalid_configuration" }));
  });
});

function seen() {
  const request = server.requests.at(-1);
  if (request === undefined) throw new Error("no request came");
  return request;
}

async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
