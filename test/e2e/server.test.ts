import { describe, expect, it } from "vitest";
import {
  finishBatch,
  journalResults,
  openTestInstance,
  project,
  requestLine,
  resultLine,
  uploadInput,
} from "../support/http-instance.ts";
import { inputForm, startTestServer, type TestServer } from "../support/http-server.ts";

const line = requestLine("a");

async function upload(
  server: TestServer,
  text = `${line}\n`,
): Promise<Record<string, unknown> & { id: string }> {
  const response = await server.send("/v1/files", { method: "POST", body: inputForm(text) });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown> & { id: string };
}

async function createBatch(server: TestServer): Promise<{ id: string; input_file_id: string }> {
  const { id } = await upload(server);
  const response = await server.send("/v1/batches", {
    method: "POST",
    body: JSON.stringify({ input_file_id: id, endpoint: "/v1/embeddings", completion_window: "24h" }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as { id: string; input_file_id: string };
}

function post(server: TestServer, path: string, body: string): Promise<Response> {
  return server.send(path, { method: "POST", body, headers: { "content-type": "application/json" } });
}

describe("server", () => {
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
    expect(await content.text()).toBe(`${line}\n`);
    const deleted = await server.send(`/v1/files/${file.id}`, {
      method: "DELETE",
      headers: { "content-type": "application/json" },
    });
    expect(await deleted.json()).toEqual({ id: file.id, object: "file", deleted: true });
    expect((await server.send(`/v1/files/${file.id}`)).status).toBe(404);
  });

  it("creates, shows, lists and cancels a batch", async () => {
    const server = await startTestServer();
    const batch = await createBatch(server);
    expect(batch).toMatchObject({
      object: "batch",
      status: "validating",
      errors: null,
      output_file_id: null,
    });
    expect(await (await server.send(`/v1/batches/${batch.id}`)).json()).toEqual(batch);
    expect(await (await server.send("/v1/batches?limit=1")).json()).toEqual({
      object: "list",
      data: [batch],
      first_id: batch.id,
      last_id: batch.id,
      has_more: false,
    });
    await server.instance.control.updateBatch(batch.id, 1, { status: "finalizing" });
    server.instance.engine.canStart = false;
    const cancelled = await post(server, `/v1/batches/${batch.id}/cancel`, "");
    expect(cancelled.status).toBe(200);
    expect(await cancelled.json()).toMatchObject({ status: "cancelling" });
  });

  it.each([
    ["GET", "/v1/nothing", 404, { message: "Invalid URL (GET /v1/nothing)", param: null, code: null }],
    ["POST", "/v1/embeddings", 404, { message: "Invalid URL (POST /v1/embeddings)" }],
    ["PUT", "/v1/batches", 404, { message: "Invalid URL (PUT /v1/batches)" }],
    ["GET", "/v1/files/file-x", 404, { message: "No such File object: file-x", param: "id", code: null }],
    ["GET", "/v1/files/..%2f..%2fetc%2fpasswd/content", 404, { param: "id", code: null }],
    [
      "GET",
      "/v1/batches/batch_x",
      404,
      { message: "No batch found with id 'batch_x'.", param: null, code: null },
    ],
    ["POST", "/v1/batches/batch_x/cancel", 404, { code: null }],
    [
      "POST",
      "/v1/batches",
      400,
      {
        message: "Missing required parameter: 'input_file_id'.",
        param: "input_file_id",
        code: "missing_required_parameter",
      },
    ],
    [
      "GET",
      "/v1/batches?limit=101",
      400,
      {
        message:
          "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        param: "limit",
        code: "integer_above_max_value",
      },
    ],
    ["GET", "/v1/batches?limit=-1", 400, { param: "limit", code: "integer_below_min_value" }],
    [
      "GET",
      "/v1/files?limit=ten",
      400,
      {
        message: "Invalid type for 'limit': expected an integer, but got a string instead.",
        param: "limit",
        code: "invalid_type",
      },
    ],
    ["GET", "/v1/batches?after=batch_00000000000000000000000000000000", 404, { param: "after" }],
    ["POST", "/v1/files", 400, { code: null, param: null }],
  ])("answers %s %s with %i in OpenAI's envelope", async (method, path, status, error) => {
    const server = await startTestServer();
    const response = await server.send(path, { method, ...(method === "POST" ? { body: "{}" } : {}) });
    expect(response.status).toBe(status);
    expect(response.headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    expect(response.headers.get("content-type")).toBe("application/json");
    const envelope = (await response.json()) as { error: object };
    expect(Object.keys(envelope.error).sort()).toEqual(["code", "message", "param", "type"]);
    expect(envelope).toMatchObject({ error: { type: "invalid_request_error", ...error } });
    expect(server.logged).toEqual([]);
  });

  it.each(["[]", "null", '"x"', "{", "", "\u0000"])("refuses the body %j of a create", async (body) => {
    const server = await startTestServer();
    const response = await post(server, "/v1/batches", body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", code: null } });
  });

  it("refuses a JSON body of more than 1 MiB and still answers", async () => {
    const server = await startTestServer();
    const response = await post(
      server,
      "/v1/batches",
      JSON.stringify({ metadata: { a: "x".repeat(1_100_000) } }),
    );
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: "request_too_large" } });
  });

  it("tells the SDKs not to repeat what stays refused", async () => {
    const server = await startTestServer();
    const batch = await createBatch(server);
    const inUse = await server.send(`/v1/files/${batch.input_file_id}`, { method: "DELETE" });
    expect([inUse.status, inUse.headers.get("x-should-retry")]).toEqual([409, "false"]);
    await server.instance.control.updateBatch(batch.id, 1, { status: "completed" });
    const cancel = await post(server, `/v1/batches/${batch.id}/cancel`, "");
    expect([cancel.status, cancel.headers.get("x-should-retry")]).toEqual([409, "false"]);
    expect(await cancel.json()).toEqual({
      error: {
        message: "Cannot cancel a batch with status 'completed'.",
        type: "invalid_request_error",
        param: null,
        code: null,
      },
    });
    server.instance.service.files.begin = async () => {
      throw Object.assign(new Error("ENOSPC: no space left on device, open '/secret/path'"), {
        code: "ENOSPC",
      });
    };
    const full = await server.send("/v1/files", { method: "POST", body: inputForm("{}\n") });
    expect([full.status, full.headers.get("x-should-retry")]).toEqual([507, "false"]);
    expect(await full.text()).not.toContain("secret");
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

  it("shows nothing of an internal error but its request id, under which the log has it", async () => {
    const server = await startTestServer();
    server.instance.service.batches.list = async () => {
      throw new Error("SELECT * FROM /secret/path");
    };
    const response = await server.send("/v1/batches");
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).not.toContain("secret");
    expect(JSON.parse(text)).toMatchObject({ error: { type: "server_error", code: null, param: null } });
    expect(server.logged).toMatchObject([
      {
        fields: {
          requestId: response.headers.get("x-request-id"),
          err: { message: "SELECT * FROM /secret/path" },
        },
      },
    ]);
  });

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
    const head = await server.send(path, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "13", ""]);
  });

  it("streams the results of a running batch and follows it to its end", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    await journalResults(server.instance, id, { shard: 0, lines: [{ line: 0 }] });
    const now = await server.send(`/v1/batches/${id}/results`);
    expect(now.headers.get("content-type")).toContain("application/jsonl");
    expect(await now.text()).toBe(`${resultLine(id, 0)}\n`);
    const followed = await server.send(`/v1/batches/${id}/results?follow=true`);
    const reader = (followed.body ?? new ReadableStream<Uint8Array>()).getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(`${resultLine(id, 0)}\n`);
    await finishBatch(server.instance, id, { output: [0], error: [1] });
    server.instance.engine.tell();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(`${resultLine(id, 1, "error")}\n`);
    expect((await reader.read()).done).toBe(true);
  });

  it("refuses a follow that is neither true nor false, and follows only when told to", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    const results = (query: string) => server.send(`/v1/batches/${id}/results?${query}`);
    for (const query of ["", "follow=", "follow=false"]) expect(await (await results(query)).text()).toBe("");
    for (const follow of ["1", "yes", "TRUE"]) {
      const refused = await results(`follow=${follow}`);
      expect(refused.status).toBe(400);
      expect(await refused.json()).toEqual({
        error: {
          message: `Invalid value: '${follow}'. Supported values are: 'true' and 'false'.`,
          type: "invalid_request_error",
          param: "follow",
          code: "invalid_value",
        },
      });
    }
  });

  it("answers HEAD for results as it would answer GET, without them", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    await finishBatch(server.instance, id, { output: [0] });
    const head = () => server.send(`/v1/batches/${id}/results`, { method: "HEAD" });
    const there = await head();
    expect([there.status, there.headers.get("content-type")]).toEqual([
      200,
      "application/jsonl; charset=utf-8",
    ]);
    expect(await there.text()).toBe("");
    const { output_file_id } = await server.instance.service.batches.retrieve(project, id);
    await server.send(`/v1/files/${output_file_id}`, { method: "DELETE" });
    expect((await head()).status).toBe(404);
  });

  it("gives results whole to a client that asks for a part, which the header allows", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    await finishBatch(server.instance, id, { output: [0] });
    const response = await server.send(`/v1/batches/${id}/results`, { headers: { range: "bytes=0-1" } });
    expect([response.status, await response.text()]).toEqual([200, `${resultLine(id, 0)}\n`]);
  });

  it("tells the SDKs not to repeat a retry that stays refused", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    const retry = async () => {
      const response = await post(server, `/v1/batches/${id}/retry`, "");
      const { error } = (await response.json()) as { error: { code: string } };
      return [response.status, response.headers.get("x-should-retry"), error.code];
    };
    expect(await retry()).toEqual([409, "false", "batch_not_final"]);
    await finishBatch(server.instance, id, { error: [0] });
    const { input_file_id } = await server.instance.service.batches.retrieve(project, id);
    await server.send(`/v1/files/${input_file_id}`, { method: "DELETE" });
    expect(await retry()).toEqual([409, "false", "input_file_gone"]);
  });

  it("answers results that cannot be read as an error", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    await finishBatch(server.instance, id, { output: [0] });
    const batch = await server.instance.service.batches.retrieve(project, id);
    await server.send(`/v1/files/${batch.output_file_id}`, { method: "DELETE" });
    expect((await server.send(`/v1/batches/${id}/results`)).status).toBe(404);
    expect((await server.send("/v1/batches/batch_x/results?follow=true")).status).toBe(404);
  });

  it("retries the failed lines of a batch", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    expect((await post(server, `/v1/batches/${id}/retry`, "")).status).toBe(409);
    await finishBatch(server.instance, id, { error: [0] });
    const retried = await post(server, `/v1/batches/${id}/retry`, "{}");
    expect(await retried.json()).toMatchObject({ status: "validating", metadata: { retry_of: id } });
  });

  it("is healthy, and ready until its storage fails", async () => {
    const server = await startTestServer();
    expect(await (await server.send("/healthz")).json()).toEqual({ status: "ok" });
    expect(await (await server.send("/readyz")).json()).toEqual({ status: "ok", reason: null, waiting: [] });
    server.instance.control.unfinishedBatches = () => Promise.reject(new Error("locked"));
    const unready = await server.send("/readyz");
    expect(unready.status).toBe(503);
    expect(await unready.json()).toEqual({
      status: "unavailable",
      reason: "storage_unavailable",
      waiting: [],
    });
  });

  it("lists routes that wait as ready, since the trouble is not its own", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    const reason = { code: "outage" as const, message: "it answers 503" };
    const route = { endpoint: "/v1/embeddings", model: "m", upstream: "local", reason };
    server.instance.engine.progress = () => ({
      counts: { total: 1, completed: 0, failed: 0 },
      inFlight: 0,
      rate: null,
      routes: [{ ...route, limit: 1, inFlight: 0, ready: 0, waiting: 1, succeeded: 0 }],
    });
    const ready = await server.send("/readyz");
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({
      waiting: [{ batch: id, model: "m", upstream: "local", reason: "outage", message: "it answers 503" }],
    });
  });

  it("lists the models of its upstreams, each once", async () => {
    const upstream = (name: string, models: unknown[], serves = () => true) => ({
      name,
      serves,
      concurrency: 1,
      models: async () => models,
      send: () => Promise.reject(new Error("not asked")),
      close: async () => {},
    });
    const instance = await openTestInstance({
      upstreams: [
        upstream("a", [{ id: "m1", object: "model", owned_by: "a" }, { no: "id" }, null]),
        upstream("b", [{ id: "m1", owned_by: "b" }, { id: "m2" }]),
        upstream("c", [{ id: "m3" }], () => false),
        { ...upstream("d", []), models: () => Promise.reject(new Error("down")) },
      ],
    });
    const server = await startTestServer({ instance });
    expect(await (await server.send("/v1/models")).json()).toEqual({
      object: "list",
      data: [{ id: "m1", object: "model", owned_by: "a" }, { id: "m2" }],
    });
  });

  it("answers 502 when no upstream lists its models", async () => {
    const down = {
      name: "down",
      serves: () => true,
      concurrency: 1,
      models: () => Promise.reject(new Error("http://secret.internal refused")),
      send: () => Promise.reject(new Error("not asked")),
      close: async () => {},
    };
    const server = await startTestServer({ instance: await openTestInstance({ upstreams: [down] }) });
    const response = await server.send("/v1/models");
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain("secret");
  });

  it("refuses other hosts and other pages, and tells why", async () => {
    const server = await startTestServer();
    const foreignHost = await server.raw(
      "GET /v1/files HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    );
    expect(foreignHost).toMatch(/^HTTP\/1\.1 403 /);
    expect(foreignHost).toContain("x-request-id: req_");
    expect(foreignHost).toContain("not a loopback address");
    for (const header of ["origin: https://evil.example", "sec-fetch-site: cross-site"]) {
      const answer = await server.raw(
        `GET /v1/files HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\n${header}\r\nconnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    }
    const ours = await server.raw(
      `GET /v1/files HTTP/1.1\r\nhost: localhost:${server.port}\r\norigin: http://localhost:${server.port}\r\nconnection: close\r\n\r\n`,
    );
    expect(ours).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("answers what is no HTTP, and heads that are too large, with an envelope and an id", async () => {
    const server = await startTestServer();
    const garbage = await server.raw("this is no HTTP\r\n\r\n");
    expect(garbage).toMatch(/^HTTP\/1\.1 400 /);
    const large = await server.raw(`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(70_000)}\r\n\r\n`);
    expect(large).toMatch(/^HTTP\/1\.1 431 /);
    const badHost = await server.raw("GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n");
    expect(badHost).toMatch(/^HTTP\/1\.1 40[03] /);
    const noHost = await server.raw("GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n");
    expect(noHost).toMatch(/^HTTP\/1\.1 400 /);
    for (const answer of [garbage, large, badHost, noHost]) {
      expect(answer).toContain("x-request-id: req_");
      expect(answer).toContain('"type":"invalid_request_error"');
    }
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

  it("refuses to listen where other machines could reach it, unless it is told to", async () => {
    const instance = await openTestInstance();
    await expect(startTestServer({ instance, host: "0.0.0.0" })).rejects.toMatchObject({
      code: "invalid_configuration",
      message: expect.stringMatching(/^Cannot listen on 0\.0\.0\.0: /),
    });
    const open = await startTestServer({ host: "0.0.0.0", insecure: true });
    const answer = await open.raw(
      "GET /v1/files HTTP/1.1\r\nhost: nerif.example\r\nconnection: close\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("says that a port is taken, and closes what it had opened", async () => {
    const first = await startTestServer();
    const instance = await openTestInstance();
    await expect(startTestServer({ instance, port: first.port })).rejects.toMatchObject({
      code: "invalid_configuration",
      message: `Cannot listen on 127.0.0.1:${first.port}: another process listens there`,
    });
    await expect(instance.control.changeCounter()).rejects.toMatchObject({ code: "storage_unavailable" });
  });

  it("refuses to start where another process executes, and names it", async () => {
    const instance = await openTestInstance();
    instance.lock.acquire = async () => false;
    instance.lock.holder = async () => ({
      pid: 42,
      command: "nerif serve",
      since: "2026-11-22T00:00:00.000Z",
    });
    await expect(startTestServer({ instance })).rejects.toMatchObject({
      code: "executor_running",
      message: expect.stringContaining("process 42 (nerif serve, since 2026-11-22T00:00:00.000Z)"),
    });
  });

  it("refuses an upstream that is itself", async () => {
    const found: string[] = [];
    const instance = await openTestInstance({
      upstreams: [
        {
          name: "loop",
          serves: () => true,
          concurrency: 1,
          async models() {
            const { data } = (await (await fetch(`http://127.0.0.1:${port}/v1/models`)).json()) as {
              data: { id: string }[];
            };
            found.push(...data.map(({ id }) => id));
            return data;
          },
          send: () => Promise.reject(new Error("not asked")),
          close: async () => {},
        },
      ],
    });
    const port = 20_000 + (process.pid % 20_000);
    await expect(startTestServer({ instance, port })).rejects.toMatchObject({ code: "upstream_is_self" });
    expect(found).toHaveLength(1);
    expect(instance.engine.starts).toBe(0);
  });

  it("drains: ends the request that runs, takes no new one, and is not ready", async () => {
    const server = await startTestServer();
    const { files } = server.instance.service;
    const list = files.list;
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    files.list = async (...args) => {
      begin();
      await released;
      return list(...args);
    };
    const running = server.send("/v1/files");
    await begun;
    const closed = server.close({ graceMs: 10_000 });
    await expect(server.send("/healthz")).rejects.toThrow();
    release();
    expect((await running).status).toBe(200);
    await closed;
    await expect(server.instance.control.changeCounter()).rejects.toThrow();
  });

  it("ends streams that follow a batch when it stops, so that the client sees that they are not whole", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    const followed = await server.send(`/v1/batches/${id}/results?follow=true`);
    const text = followed.text();
    await Promise.all([expect(text).rejects.toThrow(), server.close({ graceMs: 10_000 })]);
  });

  it("frees a followed batch when the client goes away", async () => {
    const server = await startTestServer();
    const { id } = await createBatch(server);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const { batches } = server.instance.service;
    const results = batches.results;
    batches.results = async function* (...args) {
      try {
        yield* results(...args);
      } finally {
        end();
      }
    };
    const controller = new AbortController();
    await server.send(`/v1/batches/${id}/results?follow=true`, { signal: controller.signal });
    controller.abort();
    await ended;
  });

  it("uses the default project for everything", async () => {
    const server = await startTestServer();
    const file = await uploadInput(server.instance, `${line}\n`);
    expect((await server.send(`/v1/files/${file.id}`)).status).toBe(200);
  });
});
