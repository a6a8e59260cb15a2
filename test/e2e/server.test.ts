import { describe, expect, it } from "vitest";
import { fixedBounds } from "../support/bounds.ts";
import { openTestInstance } from "../support/http-instance.ts";
import { createBatch, inputForm, post, startTestServer } from "../support/http-server.ts";

describe("server", () => {
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
      routes: [
        {
          ...route,
          limit: 1,
          limitPerSecond: null,
          inFlight: 0,
          rate: null,
          ready: 0,
          waiting: 1,
          succeeded: 0,
        },
      ],
    });
    const ready = await server.send("/readyz");
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({
      waiting: [{ batch: id, model: "m", upstream: "local", reason: "outage", message: "it answers 503" }],
    });
  });

  it("lists the models of its upstreams, each once, with all that clients rely on", async () => {
    const upstream = (name: string, models: unknown[], serves = () => true) => ({
      name,
      serves,
      bounds: fixedBounds(1),
      models: async () => models,
      send: () => Promise.reject(new Error("not asked")),
      close: async () => {},
    });
    const instance = await openTestInstance({
      upstreams: [
        upstream("a", [{ id: "m1", created: 5, root: "x" }, { no: "id" }, null]),
        upstream("b", [{ id: "m1" }, { id: "m2", object: "thing", created: "today", owned_by: "me" }]),
        upstream("c", [{ id: "m3" }], () => false),
        { ...upstream("d", []), models: () => Promise.reject(new Error("down")) },
      ],
    });
    const server = await startTestServer({ instance });
    expect(await (await server.send("/v1/models")).json()).toEqual({
      object: "list",
      data: [
        { id: "m1", object: "model", created: 5, owned_by: "a", root: "x" },
        { id: "m2", object: "model", created: 0, owned_by: "me" },
      ],
    });
  });

  it("answers 502 when no upstream lists its models", async () => {
    const down = {
      name: "down",
      serves: () => true,
      bounds: fixedBounds(1),
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
});
