import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI, { toFile } from "openai";
import OpenAI6 from "openai6";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createSimulator,
  type Simulator,
  type SimulatorOptions,
} from "../../src/upstreams/simulator/simulator.ts";
import { startServeProcess } from "../support/http-process.ts";

/** The newest SDK and the major before it, as they come from npm. Both are typed as the newest. */
const clients = [
  ["newest", OpenAI],
  ["previous major", OpenAI6 as unknown as typeof OpenAI],
] as const;

interface ResultLine {
  id: string;
  custom_id: string;
  response: { status_code: number; request_id: string; body: { object?: string } } | null;
  error: { code: string; message: string } | null;
}

const finalStatuses = ["completed", "failed", "expired", "cancelled"];

async function start(Client: typeof OpenAI, simulator: SimulatorOptions = {}) {
  const upstream = createSimulator(simulator);
  const { url } = await upstream.listen();
  onTestFinished(() => upstream.close());
  const server = await startServeProcess({ upstream: url });
  return { server, upstream, client: new Client({ apiKey: "unused", baseURL: `${server.url}/v1` }) };
}

/** Requests for answers: each server also asks once for the models when it starts. */
function callsOf(upstream: Simulator, { servers = 1 } = {}): number {
  return upstream.served.requests - servers;
}

function inputLines(count: number, fields: (index: number) => object = () => ({})): string {
  const lines = Array.from({ length: count }, (_, index) => {
    const body = { model: "simulated", messages: [{ role: "user", content: `Question ${index}` }] };
    return JSON.stringify({
      custom_id: `row-${index}`,
      method: "POST",
      url: "/v1/chat/completions",
      body,
      ...fields(index),
    });
  });
  return `${lines.join("\n")}\n`;
}

async function inputFile(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "nerif-sdk-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "requests.jsonl");
  await writeFile(path, text);
  return path;
}

async function untilFinal(client: OpenAI, id: string): Promise<OpenAI.Batch> {
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (finalStatuses.includes(batch.status)) return batch;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function parseLines(text: string): ResultLine[] {
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as ResultLine);
}

describe.each(clients)("the %s OpenAI SDK against a server process", (_, Client) => {
  it("uploads by stream, creates, polls and downloads", async () => {
    const { client, upstream } = await start(Client);
    const path = await inputFile(inputLines(200));
    const file = await client.files.create({ file: createReadStream(path), purpose: "batch" });
    expect(file).toMatchObject({
      object: "file",
      filename: "requests.jsonl",
      purpose: "batch",
      status: "processed",
    });
    expect(file._request_id).toMatch(/^req_[0-9a-f]{32}$/);
    expect(await client.files.waitForProcessing(file.id)).toMatchObject({ id: file.id });

    const created = await client.batches.create({
      input_file_id: file.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
      metadata: { description: "sdk" },
      output_expires_after: { anchor: "created_at", seconds: 3_600 },
    });
    expect(created).toMatchObject({
      object: "batch",
      status: "validating",
      metadata: { description: "sdk" },
    });

    const batch = await untilFinal(client, created.id);
    expect(batch).toMatchObject({
      status: "completed",
      model: "simulated",
      errors: null,
      error_file_id: null,
      request_counts: { total: 200, completed: 200, failed: 0 },
    });
    expect(batch.usage?.total_tokens).toBe(
      (batch.usage?.input_tokens ?? 0) + (batch.usage?.output_tokens ?? 0),
    );
    expect(batch.usage?.total_tokens).toBeGreaterThan(0);
    expect(batch.completed_at).toBeGreaterThanOrEqual(batch.created_at);

    const output = await client.files.retrieve(batch.output_file_id ?? "");
    expect(output).toMatchObject({ purpose: "batch_output", filename: `${batch.id}_output.jsonl` });
    expect(output.expires_at).toBe(output.created_at + 3_600);
    const lines = parseLines(await (await client.files.content(output.id)).text());
    expect(lines.map(({ custom_id }) => custom_id)).toEqual(
      Array.from({ length: 200 }, (_, i) => `row-${i}`),
    );
    for (const line of lines) {
      expect(line.response).toMatchObject({ status_code: 200, body: { object: "chat.completion" } });
      expect(line.error).toBeNull();
    }
    expect(callsOf(upstream)).toBe(200);
    const input = await (await client.files.content(file.id)).text();
    expect(input).toBe(inputLines(200));
  });

  it("finds failed lines in the error file and a bad input in the errors of the batch", async () => {
    const { client } = await start(Client, { models: ["simulated"] });
    const text = inputLines(3, (index) => (index === 1 ? { body: { model: "absent", messages: [] } } : {}));
    const mixed = await client.files.create({
      file: await toFile(Buffer.from(text), "mixed.jsonl"),
      purpose: "batch",
    });
    const params = { endpoint: "/v1/chat/completions", completion_window: "24h" } as const;
    const batch = await untilFinal(
      client,
      (await client.batches.create({ input_file_id: mixed.id, ...params })).id,
    );
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 3, completed: 2, failed: 1 },
    });
    const failed = parseLines(await (await client.files.content(batch.error_file_id ?? "")).text());
    expect(failed).toMatchObject([
      { custom_id: "row-1", response: { status_code: 404 }, error: { code: expect.any(String) } },
    ]);

    const bad = await client.files.create({
      file: await toFile(Buffer.from(`${inputLines(1)}nonsense\n`), "bad.jsonl"),
      purpose: "batch",
    });
    const refused = await untilFinal(
      client,
      (await client.batches.create({ input_file_id: bad.id, ...params })).id,
    );
    expect(refused).toMatchObject({
      status: "failed",
      output_file_id: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
      errors: { object: "list", data: [{ code: "invalid_json_line", line: 2, param: null }] },
    });
  });

  it("cancels a running batch, whose lines all end in one of its files", async () => {
    const { client } = await start(Client, { latency: { kind: "fixed", ms: 300 } });
    const path = await inputFile(inputLines(400));
    const file = await client.files.create({ file: createReadStream(path), purpose: "batch" });
    const { id } = await client.batches.create({
      input_file_id: file.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
    });
    await expect(client.files.delete(file.id)).rejects.toMatchObject({ status: 409 });
    for (;;) {
      const running = await client.batches.retrieve(id);
      if (running.status === "in_progress") break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await client.batches.cancel(id)).toMatchObject({ status: "cancelling" });
    const batch = await untilFinal(client, id);
    expect(batch.status).toBe("cancelled");
    expect(batch.cancelled_at).toBeGreaterThanOrEqual(batch.cancelling_at ?? 0);
    const ids: string[] = [];
    for (const result of [batch.output_file_id, batch.error_file_id]) {
      if (result == null) continue;
      for (const line of parseLines(await (await client.files.content(result)).text())) {
        ids.push(line.custom_id);
        if (line.response === null) expect(line.error?.code).toBe("batch_cancelled");
      }
    }
    expect(ids.sort()).toEqual(Array.from({ length: 400 }, (_, i) => `row-${i}`).sort());
    expect(await client.batches.cancel(id)).toMatchObject({ status: "cancelled" });
  });

  it("pages through lists by itself, and deletes", async () => {
    const { client } = await start(Client);
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const file = await client.files.create({
        file: await toFile(Buffer.from("{}\n"), `${i}.jsonl`),
        purpose: "batch",
      });
      ids.unshift(file.id);
    }
    const listed: string[] = [];
    for await (const file of client.files.list({ limit: 2, purpose: "batch" })) listed.push(file.id);
    expect(listed).toEqual(ids);
    const first = ids[0] ?? "";
    const params = { input_file_id: first, endpoint: "/v1/embeddings", completion_window: "24h" } as const;
    const made = [await client.batches.create(params), await client.batches.create(params)].map(
      ({ id }) => id,
    );
    const batches: string[] = [];
    for await (const batch of client.batches.list({ limit: 1 })) batches.push(batch.id);
    expect(batches).toEqual(made.reverse());
    await Promise.all(made.map((id) => untilFinal(client, id)));
    expect(await client.files.delete(first)).toEqual({ id: first, object: "file", deleted: true });
    await expect(client.files.retrieve(first)).rejects.toBeInstanceOf(Client.NotFoundError);
  });

  it("throws the SDK's own errors, and repeats nothing that stays refused", async () => {
    const { client } = await start(Client);
    const requests: string[] = [];
    const counting = new Client({
      apiKey: "unused",
      baseURL: client.baseURL,
      fetch: (url, init) => {
        requests.push(String(url));
        return fetch(url, init);
      },
    });
    const unknown = `file-${"x".repeat(22)}`;
    await expect(counting.files.retrieve(unknown)).rejects.toMatchObject({
      status: 404,
      type: "invalid_request_error",
      param: "id",
      code: null,
      requestID: expect.stringMatching(/^req_/),
      message: `404 No such File object: ${unknown}`,
    });
    await expect(counting.files.content(unknown)).rejects.toBeInstanceOf(Client.NotFoundError);
    await expect(counting.batches.retrieve("batch_none")).rejects.toBeInstanceOf(Client.NotFoundError);
    const params = { endpoint: "/v1/chat/completions", completion_window: "24h" } as const;
    await expect(counting.batches.create({ input_file_id: unknown, ...params })).rejects.toMatchObject({
      status: 400,
      param: "input_file_id",
    });
    await expect(
      counting.files.create({ file: await toFile(Buffer.from("x"), "a.txt"), purpose: "batch" }),
    ).rejects.toBeInstanceOf(Client.BadRequestError);
    const file = await counting.files.create({
      file: await toFile(Buffer.from("{}\n"), "a.jsonl"),
      purpose: "batch",
    });
    const { id } = await counting.batches.create({ input_file_id: file.id, ...params });
    await untilFinal(client, id);
    requests.length = 0;
    await expect(counting.batches.cancel(id)).rejects.toMatchObject({
      status: 409,
      message: "409 Cannot cancel a batch with status 'failed'.",
    });
    await expect(counting.batches.cancel(id)).rejects.toBeInstanceOf(Client.ConflictError);
    expect(requests).toHaveLength(2);
  });

  it("lists the models of the upstream", async () => {
    const { client } = await start(Client, { models: ["a", "b"] });
    const models: string[] = [];
    for await (const model of client.models.list()) models.push(model.id);
    expect(models.sort()).toEqual(["a", "b"]);
  });
});

it("a server that is stopped in the middle of a batch ends with 0, and the next one sends the rest", async () => {
  const { client, server, upstream } = await start(OpenAI, { latency: { kind: "fixed", ms: 20 } });
  const path = await inputFile(inputLines(2_000));
  const file = await client.files.create({ file: createReadStream(path), purpose: "batch" });
  const { id } = await client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  });
  while (callsOf(upstream) < 100) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await server.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  expect(callsOf(upstream)).toBeLessThan(2_000);

  const next = await startServeProcess({ upstream: server.upstream, dataDir: server.dataDir });
  const resumed = new OpenAI({ apiKey: "unused", baseURL: `${next.url}/v1` });
  const batch = await untilFinal(resumed, id);
  expect(batch).toMatchObject({
    status: "completed",
    request_counts: { total: 2_000, completed: 2_000, failed: 0 },
  });
  const lines = parseLines(await (await resumed.files.content(batch.output_file_id ?? "")).text());
  expect(lines.map(({ custom_id }) => custom_id)).toEqual(
    Array.from({ length: 2_000 }, (_, i) => `row-${i}`),
  );
  // A stop with grace leaves no call in flight, so none is repeated.
  expect(callsOf(upstream, { servers: 2 })).toBe(2_000);
});
