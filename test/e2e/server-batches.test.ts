import { describe, expect, it } from "vitest";
import { finishBatch, journalResults, project, resultLine } from "../support/http-instance.ts";
import { createBatch, post, startTestServer } from "../support/http-server.ts";

describe("server, batches", () => {
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
});
