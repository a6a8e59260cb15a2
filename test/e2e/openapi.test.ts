import { describe, expect, it } from "vitest";
import { batchStatuses } from "../../src/batch/batch.ts";
import { finishBatch, requestLine } from "../support/http-instance.ts";
import { inputForm, startTestServer, type TestServer } from "../support/http-server.ts";
import { type ApiDescription, readDescription } from "../support/openapi.ts";

interface DescribedServer extends TestServer {
  api: ApiDescription;
  /** Sends a request, holds the answer against the description, and gives its JSON. */
  ask(operation: string, options?: AskOptions): Promise<Record<string, unknown> & { id: string }>;
}

interface AskOptions {
  status?: number;
  body?: object;
}

async function startDescribedServer(): Promise<DescribedServer> {
  const server = await startTestServer();
  const api = await readDescription(server.url);
  return {
    ...server,
    api,
    async ask(operation, { status = 200, body } = {}) {
      const [method = "", path = ""] = operation.split(" ");
      const sent = body === undefined || body instanceof FormData ? body : JSON.stringify(body);
      const answer = await server.send(path, { method, ...(sent === undefined ? {} : { body: sent }) });
      await api.assertAnswer(operation, answer);
      expect(answer.status).toBe(status);
      return JSON.parse((await answer.text()) || "null");
    },
  };
}

const order = { endpoint: "/v1/embeddings", completion_window: "24h" };

describe("GET /openapi.json", () => {
  it("describes what the server answers about files", async () => {
    const { ask } = await startDescribedServer();
    const file = await ask("POST /v1/files", { body: inputForm(`${requestLine("a")}\n`) });
    await ask("GET /v1/files");
    await ask("GET /v1/files?purpose=vision");
    await ask(`GET /v1/files/${file.id}`);
    await ask(`DELETE /v1/files/${file.id}`);
    await ask(`GET /v1/files/${file.id}`, { status: 404 });
    await ask(`DELETE /v1/files/${file.id}`, { status: 404 });
    await ask(`GET /v1/files/${file.id}/content`, { status: 404 });
    await ask("GET /v1/files?limit=ten", { status: 400 });
    await ask("POST /v1/files", { status: 400, body: inputForm("{}\n", { purpose: "none" }) });
    await ask("POST /v1/files", { status: 400, body: inputForm("") });
  });

  it("describes downloads", async () => {
    const { ask, send, api } = await startDescribedServer();
    const { id } = await ask("POST /v1/files", { body: inputForm("{}\n") });
    const path = `/v1/files/${id}/content`;
    const etag = (await send(path)).headers.get("etag") ?? "";
    for (const [status, headers] of [
      [200, {}],
      [206, { range: "bytes=0-0" }],
      [304, { "if-none-match": etag }],
      [416, { range: "bytes=9-" }],
    ] as const) {
      const answer = await send(path, { headers });
      expect(answer.status).toBe(status);
      await api.assertAnswer(`GET ${path}`, answer);
    }
  });

  it("describes a batch in each of its states", async () => {
    const { ask, instance } = await startDescribedServer();
    const file = await ask("POST /v1/files", { body: inputForm(`${requestLine("a")}\n`) });
    const metadata = { job: "nightly" };
    const body = { ...order, input_file_id: file.id, metadata };
    const { id } = await ask("POST /v1/batches", { body });
    await ask(`DELETE /v1/files/${file.id}`, { status: 409 });
    for (const [index, status] of batchStatuses.entries()) {
      const errors =
        status === "failed"
          ? [{ code: "invalid_url", line: 1, message: "It is wrong.", param: "url" }]
          : null;
      await instance.control.updateBatch(id, index + 1, { status, errors });
      expect(await ask(`GET /v1/batches/${id}`)).toMatchObject({ status });
      await ask("GET /v1/batches");
    }
    const second = await ask("POST /v1/batches", { body });
    await instance.control.updateBatch(second.id, 1, {
      usage: {
        input_tokens: 1,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: 2,
        output_tokens_details: { reasoning_tokens: 1 },
        total_tokens: 3,
      },
      model: "m",
    });
    await finishBatch(instance, second.id, { output: [0], error: [1] });
    expect(await ask(`GET /v1/batches/${second.id}`)).toMatchObject({
      model: "m",
      usage: { total_tokens: 3 },
    });
    await ask(`POST /v1/batches/${second.id}/cancel`, { status: 409 });
  });

  it("describes cancelling, retrying and reading of results", async () => {
    const { ask, instance, send, api } = await startDescribedServer();
    const file = await ask("POST /v1/files", { body: inputForm(`${requestLine("a")}\n`) });
    const batch = await ask("POST /v1/batches", { body: { ...order, input_file_id: file.id } });
    await ask(`POST /v1/batches/${batch.id}/retry`, { status: 409 });
    await finishBatch(instance, batch.id, { error: [0] });
    const results = await send(`/v1/batches/${batch.id}/results`);
    await api.assertAnswer(`GET /v1/batches/${batch.id}/results`, results);
    const retried = await ask(`POST /v1/batches/${batch.id}/retry`);
    instance.engine.canStart = false;
    await ask(`POST /v1/batches/${retried.id}/cancel`);
    await ask("POST /v1/batches", { status: 400, body: {} });
    await ask("POST /v1/batches", { status: 413, body: { x: "x".repeat(1_100_000) } });
    await ask("GET /v1/batches/batch_x", { status: 404 });
    await ask("GET /v1/batches?limit=101", { status: 400 });
  });

  it("describes progress and the filters of the list", async () => {
    const { ask } = await startDescribedServer();
    const file = await ask("POST /v1/files", { body: inputForm(`${requestLine("a")}\n`) });
    const batch = await ask("POST /v1/batches", { body: { ...order, input_file_id: file.id } });
    expect(await ask(`GET /v1/batches/${batch.id}/progress`)).toMatchObject({ state: "validating" });
    await ask("GET /v1/batches/batch_x/progress", { status: 404 });
    const listed = await ask("GET /v1/batches?status=validating&created_after=0&limit=1");
    expect(listed.data).toEqual([batch]);
    expect((await ask("GET /v1/batches?metadata[team]=x")).data).toEqual([]);
    await ask("GET /v1/batches?status=done", { status: 400 });
    await ask(`GET /v1/batches/${batch.id}/results?follow=maybe`, { status: 400 });
  });

  it("describes models, health and itself", async () => {
    const { ask, instance } = await startDescribedServer();
    await ask("GET /v1/models");
    await ask("GET /healthz");
    await ask("GET /readyz");
    instance.control.unfinishedBatches = () => Promise.reject(new Error("locked"));
    await ask("GET /readyz", { status: 503 });
    expect(await ask("GET /openapi.json")).toMatchObject({ openapi: "3.1.0" });
  });

  it("describes no field of a batch that a client could set by sending it back", async () => {
    const { ask, api, send } = await startDescribedServer();
    const file = await ask("POST /v1/files", { body: inputForm(`${requestLine("a")}\n`) });
    const body = { ...order, input_file_id: file.id };
    const batch = await ask("POST /v1/batches", { body });
    const { CreateBatchRequest, Batch } = api.document.components.schemas;
    const accepted = Object.keys(CreateBatchRequest?.properties ?? {});
    const answered = Object.keys(Batch?.properties ?? {}).filter((field) => !accepted.includes(field));
    expect(answered).toContain("output_file_id");
    for (const field of [
      ...answered,
      "project",
      "api_key",
      "version",
      "ending",
      "result_files",
      "__proto__",
    ]) {
      const sent = JSON.stringify(body).replace(/\}$/, `,"${field}":${JSON.stringify(batch[field] ?? "x")}}`);
      const refused = await send("/v1/batches", { method: "POST", body: sent });
      await api.assertAnswer("POST /v1/batches", refused);
      expect([field, refused.status, await refused.json()]).toEqual([
        field,
        400,
        {
          error: {
            message: `Unknown parameter: '${field}'.`,
            type: "invalid_request_error",
            param: field,
            code: "unknown_parameter",
          },
        },
      ]);
    }
    expect((await ask("GET /v1/batches")).data).toEqual([batch]);
  });

  it("describes no field of a file that a form could set", async () => {
    const { api, send } = await startDescribedServer();
    const { CreateFileRequest, File } = api.document.components.schemas;
    const accepted = Object.keys(CreateFileRequest?.properties ?? {});
    const answered = Object.keys(File?.properties ?? {}).filter((field) => !accepted.includes(field));
    for (const field of [...answered, "project", "key"]) {
      const form = inputForm(`${requestLine("a")}\n`);
      form.set(field, "x");
      const refused = await send("/v1/files", { method: "POST", body: form });
      await api.assertAnswer("POST /v1/files", refused);
      expect(await refused.json()).toMatchObject({ error: { code: "unknown_parameter", param: field } });
    }
    expect(await (await send("/v1/files")).json()).toMatchObject({ data: [] });
  });

  it("describes what it refuses without a key, and asks for none itself", async () => {
    const { ask, instance } = await startDescribedServer();
    await instance.service.keys.create({ project: "own" });
    for (const route of ["files", "batches", "models"]) await ask(`GET /v1/${route}`, { status: 401 });
    expect(await ask("GET /readyz")).not.toHaveProperty("waiting");
    await ask("GET /openapi.json");
  });

  it("lets nothing pass that it does not describe", async () => {
    const { api, ask } = await startDescribedServer();
    const file = await ask("POST /v1/files", { body: inputForm("{}\n") });
    const refusals: [string, number, unknown, RegExp][] = [
      ["GET /v1/files/{file_id}", 200, { ...file, secret: 1 }, /must NOT have additional properties/],
      ["GET /v1/files/{file_id}", 200, { ...file, bytes: "1" }, /body\/bytes must be integer/],
      ["GET /v1/files/{file_id}", 200, { ...file, expires_at: undefined }, /required property 'expires_at'/],
      ["GET /v1/files/{file_id}", 200, undefined, /with JSON/],
      ["GET /v1/files/{file_id}", 202, file, /not described to answer 202/],
      ["PATCH /v1/files/{file_id}", 200, file, /is not described/],
      ["GET /v1/file", 200, file, /is not described/],
    ];
    api.assertMatches("GET /v1/files/file-x?y", 200, file);
    for (const [operation, status, body, reason] of refusals) {
      expect(() => api.assertMatches(operation, status, body)).toThrow(reason);
    }
  });
});
