import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { storageAt } from "../test/support/storage.ts";
import { createNerif, type Nerif } from "./library/nerif.ts";
import { createHandler, serve } from "./server.ts";
import { createSimulator } from "./upstreams/simulator/simulator.ts";

async function dataDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "nerif-server-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function simulatorUrl(): Promise<string> {
  const simulator = createSimulator();
  onTestFinished(() => simulator.close());
  return (await simulator.listen()).url;
}

const line = {
  custom_id: "a",
  method: "POST",
  url: "/v1/embeddings",
  body: { model: "m", input: "x" },
} as const;

it("a handler serves the files and batches of an instance", async () => {
  const nerif = createNerif({ ...storageAt(await dataDirectory()), upstream: await simulatorUrl() });
  onTestFinished(() => nerif.close());
  const handler = createHandler(nerif);
  const input = await nerif.files.createBatchFile([line]);
  const created = await handler(
    new Request("http://localhost/v1/batches", {
      method: "POST",
      body: JSON.stringify({ input_file_id: input.id, endpoint: "/v1/embeddings", completion_window: "24h" }),
    }),
  );
  const { id } = (await created.json()) as { id: string };
  expect(await nerif.batches.wait(id)).toMatchObject({ status: "completed" });
  const results = await handler(new Request(`http://localhost/v1/batches/${id}/results`));
  expect(JSON.parse(await results.text())).toMatchObject({ custom_id: "a", response: { status_code: 200 } });
});

it("a handler takes a form without a server of ours", async () => {
  const nerif = createNerif({ ...storageAt(await dataDirectory()), execute: false });
  onTestFinished(() => nerif.close());
  const form = new FormData();
  form.set("file", new Blob([`${JSON.stringify(line)}\n`]), "a.jsonl");
  form.set("purpose", "batch");
  const handler = createHandler(nerif, { insecure: true });
  const response = await handler(
    new Request("https://batches.example/v1/files", { method: "POST", body: form }),
  );
  expect(await response.json()).toMatchObject({ object: "file", filename: "a.jsonl" });
  const guarded = await createHandler(nerif)(new Request("https://batches.example/v1/files"));
  expect(guarded.status).toBe(403);
});

it("a handler refuses an instance that is none", () => {
  expect(() => createHandler({} as Nerif)).toThrow(expect.objectContaining({ code: "invalid_usage" }));
});

it("serve executes batches", async () => {
  const upstream = await simulatorUrl();
  const server = await serve({ ...storageAt(await dataDirectory()), upstream, port: 0 });
  onTestFinished(() => server.close());
  expect(await (await fetch(`${server.url}/healthz`)).json()).toEqual({ status: "ok" });
  const post = async (path: string, body: object | FormData) => {
    const sent = body instanceof FormData ? body : JSON.stringify(body);
    const response = await fetch(`${server.url}/v1/${path}`, { method: "POST", body: sent });
    return (await response.json()) as { id: string };
  };
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new Blob([`${JSON.stringify(line)}\n`]), "a.jsonl");
  const { id: input_file_id } = await post("files", form);
  const { id } = await post("batches", { input_file_id, endpoint: line.url, completion_window: "24h" });
  const results = await fetch(`${server.url}/v1/batches/${id}/results?follow=true`);
  expect(JSON.parse(await results.text())).toMatchObject({ custom_id: "a", response: { status_code: 200 } });
});

it("serve refuses data that another one serves already", async () => {
  const dataDir = await dataDirectory();
  const upstream = await simulatorUrl();
  const server = await serve({ ...storageAt(dataDir), upstream, port: 0 });
  onTestFinished(() => server.close());
  await expect(serve({ ...storageAt(dataDir), upstream, port: 0 })).rejects.toMatchObject({
    code: "executor_running",
    message: expect.stringContaining(`process ${process.pid} (nerif serve`),
  });
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
});

it("serve refuses to start without an upstream, and takes none from OPENAI_BASE_URL", async () => {
  vi.stubEnv("NERIF_UPSTREAM", undefined);
  vi.stubEnv("OPENAI_API_KEY", undefined);
  vi.stubEnv("OPENAI_BASE_URL", "http://127.0.0.1:8787/v1");
  onTestFinished(() => void vi.unstubAllEnvs());
  const dataDir = await dataDirectory();
  await expect(serve({ ...storageAt(dataDir), port: 0, upstreams: [] })).rejects.toMatchObject({
    code: "upstream_not_configured",
  });
});
