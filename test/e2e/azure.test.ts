import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AzureOpenAI, toFile } from "openai";
import { AzureOpenAI as AzureOpenAI6 } from "openai6";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { startServeProcess } from "../support/http-process.ts";
import { inputForm, startTestServer } from "../support/http-server.ts";

/** Their types are one another's; the newest stands for both. */
const clients = [
  ["newest", AzureOpenAI],
  ["previous major", AzureOpenAI6 as unknown as typeof AzureOpenAI],
] as const;

async function start({ args = [] }: { args?: string[] } = {}) {
  const directory = await mkdtemp(join(tmpdir(), "nerif-azure-"));
  const log = join(directory, "requests.log");
  const upstream = createSimulator({ log });
  const { url } = await upstream.listen();
  onTestFinished(async () => {
    await upstream.close();
    await rm(directory, { recursive: true, force: true });
  });
  const server = await startServeProcess({ upstream: url, args });
  const sentTo = async () =>
    (await readFile(log, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { path: string; body_sha256: string })
      .filter(({ path }) => path !== "/v1/models");
  return { server, sentTo };
}

/** A line as Azure's documentation has it. */
function azureLine(id: string, url = "/chat/completions"): string {
  const body = { model: "my-deployment", messages: [{ role: "user", content: "Hello" }] };
  return `${JSON.stringify({ custom_id: id, method: "POST", url, body })}\n`;
}

describe.each(clients)("the %s AzureOpenAI client", (_, Client) => {
  it("uploads, creates with its deployment, lists, polls, downloads and cancels", async () => {
    const { server, sentTo } = await start({ args: ["--strict"] });
    const client = new Client({
      endpoint: server.url,
      apiKey: "unused",
      apiVersion: "2024-10-21",
      deployment: "my-deployment",
    });
    const text = `${azureLine("a")}${azureLine("b", "/v1/chat/completions")}`;
    const input = await client.files.create({
      file: await toFile(Buffer.from(text), "in.jsonl"),
      purpose: "batch",
    });
    expect(await client.files.retrieve(input.id)).toMatchObject({ id: input.id, status: "processed" });
    expect((await client.files.list()).data).toHaveLength(1);
    const created = await client.batches.create({
      input_file_id: input.id,
      // The SDK's types know OpenAI's own endpoints only.
      endpoint: "/chat/completions" as "/v1/chat/completions",
      completion_window: "24h",
    });
    expect(created.endpoint).toBe("/v1/chat/completions");
    expect((await client.batches.list()).data.map(({ id }) => id)).toEqual([created.id]);
    let batch = created;
    while (!["completed", "failed"].includes(batch.status)) batch = await client.batches.retrieve(created.id);
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 2, completed: 2, failed: 0 },
    });
    const output = await (await client.files.content(batch.output_file_id ?? "")).text();
    expect(
      output
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).custom_id),
    ).toEqual(["a", "b"]);
    const sent = await sentTo();
    expect(sent.map(({ path }) => path)).toEqual(["/v1/chat/completions", "/v1/chat/completions"]);
    // The same bytes, whatever the url looked like.
    expect(sent[0]?.body_sha256).toBe(sent[1]?.body_sha256);
    const cancel = client.batches.cancel(created.id);
    await expect(cancel).rejects.toMatchObject({ status: 409 });
    expect(await client.files.delete(input.id)).toMatchObject({ deleted: true });
    await expect(client.files.retrieve(input.id)).rejects.toMatchObject({ status: 404 });
  });
});

describe("Azure's paths", () => {
  it.each(["/v1", "/openai", "/openai/v1", "/openai/deployments/dep"])(
    "reach every route below %s",
    async (prefix) => {
      const server = await startTestServer();
      const send = async (method: string, path: string, body?: string | FormData) => {
        const url = `${prefix}${path}?api-version=2024-10-21`;
        const response = await server.send(url, { method, ...(body === undefined ? {} : { body }) });
        return { status: response.status, body: (await response.json()) as { id: string } };
      };
      const file = (await send("POST", "/files", inputForm(azureLine("a")))).body;
      const params = { input_file_id: file.id, endpoint: "/embeddings", completion_window: "24h" };
      const batch = (await send("POST", "/batches", JSON.stringify(params))).body;
      expect(batch).toMatchObject({ object: "batch", endpoint: "/v1/embeddings" });
      expect((await send("GET", `/batches/${batch.id}`)).body).toEqual(batch);
      expect((await send("DELETE", `/files/${file.id}`)).status).toBe(409);
      const content = await server.send(`${prefix}/files/${file.id}/content`, { method: "HEAD" });
      expect([content.status, content.headers.get("content-length")]).toEqual([
        200,
        String(azureLine("a").length),
      ]);
      const unknown = await server.send(`${prefix}/nothing`);
      expect(await unknown.json()).toMatchObject({
        error: { message: `Invalid URL (GET ${prefix}/nothing)` },
      });
    },
  );

  it("are guarded like all others", async () => {
    const server = await startTestServer();
    const request = `GET /openai/files HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n`;
    expect(await server.raw(request)).toMatch(/^HTTP\/1\.1 403 /);
  });

  it("lead to no route that is not below /v1", async () => {
    const server = await startTestServer();
    for (const path of ["/openai/healthz", "/openai/v1/readyz", "/openai", "/openai/"]) {
      expect((await server.send(path)).status).toBe(404);
    }
  });
});

it("an endpoint that is none is refused as it was written", async () => {
  const server = await startTestServer();
  const body = JSON.stringify({
    input_file_id: "file-x",
    endpoint: "/images/edits",
    completion_window: "24h",
  });
  const response = await server.send("/v1/batches", { method: "POST", body });
  expect(await response.json()).toMatchObject({
    error: {
      code: "invalid_value",
      param: "endpoint",
      message: expect.stringMatching(/^Invalid value: '\/images\/edits'/),
    },
  });
});
