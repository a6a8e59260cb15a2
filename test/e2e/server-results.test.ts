import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { BatchObject } from "../../src/batch/batch.ts";
import type { RunningServer } from "../../src/http/serve.ts";
import { serve } from "../../src/server.ts";
import { createSimulator, type SimulatorOptions } from "../../src/upstreams/simulator/simulator.ts";
import { requestLine } from "../support/http-instance.ts";
import { inputForm } from "../support/http-server.ts";
import { storageAt } from "../support/storage.ts";

async function startServer(simulation: SimulatorOptions): Promise<RunningServer> {
  const simulator = createSimulator(simulation);
  const { url } = await simulator.listen();
  const dataDir = await mkdtemp(join(tmpdir(), "nerif-results-"));
  const server = await serve({
    ...storageAt(dataDir),
    upstream: url,
    port: 0,
    settings: { cancelGraceMs: 100 },
  });
  onTestFinished(async () => {
    await server.close();
    await simulator.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  return server;
}

async function createBatch(server: RunningServer, lines: number): Promise<BatchObject> {
  const input = Array.from({ length: lines }, (_, index) => `${requestLine(`row-${index}`)}\n`).join("");
  const form = inputForm(input);
  const file = (await (await fetch(`${server.url}/v1/files`, { method: "POST", body: form })).json()) as {
    id: string;
  };
  const params = { input_file_id: file.id, endpoint: "/v1/embeddings", completion_window: "24h" };
  const created = await fetch(`${server.url}/v1/batches`, { method: "POST", body: JSON.stringify(params) });
  return (await created.json()) as BatchObject;
}

async function getBatch(server: RunningServer, id: string): Promise<BatchObject> {
  return (await (await fetch(`${server.url}/v1/batches/${id}`)).json()) as BatchObject;
}

async function resultFiles(server: RunningServer, batch: BatchObject): Promise<string[]> {
  const ids = [batch.output_file_id, batch.error_file_id].filter((id) => id !== null);
  const texts = await Promise.all(
    ids.map(async (id) => (await fetch(`${server.url}/v1/files/${id}/content`)).text()),
  );
  return texts.join("").trimEnd().split("\n");
}

it("results that are followed are in the end exactly the lines of both files", async () => {
  const server = await startServer({ latency: { kind: "fixed", ms: 20 } });
  const { id } = await createBatch(server, 1_500);
  const followed = await fetch(`${server.url}/v1/batches/${id}/results?follow=true`);
  const lines = (await followed.text()).trimEnd().split("\n");
  const batch = await getBatch(server, id);
  expect(batch).toMatchObject({
    status: "completed",
    request_counts: { total: 1_500, completed: 1_500, failed: 0 },
  });
  expect(lines.toSorted()).toEqual((await resultFiles(server, batch)).toSorted());
});

it("results grow while the batch runs, and after a cancel they are all there", async () => {
  const server = await startServer({ latency: { kind: "fixed", ms: 60 } });
  const { id } = await createBatch(server, 2_000);
  const read = async () =>
    (await (await fetch(`${server.url}/v1/batches/${id}/results`)).text()).split("\n").slice(0, -1);
  let first: string[] = [];
  while (first.length === 0) first = await read();
  let later = first;
  while (later.length === first.length) later = await read();
  expect(later).toEqual(expect.arrayContaining(first));
  expect(new Set(later).size).toBe(later.length);
  const followed = fetch(`${server.url}/v1/batches/${id}/results?follow=true`).then((answer) =>
    answer.text(),
  );
  await fetch(`${server.url}/v1/batches/${id}/cancel`, { method: "POST" });
  const lines = (await followed).trimEnd().split("\n");
  const batch = await getBatch(server, id);
  expect(batch.status).toBe("cancelled");
  expect(batch.request_counts.completed).toBeLessThan(2_000);
  expect(lines.toSorted()).toEqual((await resultFiles(server, batch)).toSorted());
  expect(lines).toHaveLength(2_000);
});

it("a retry runs the failed lines again and nothing else", async () => {
  const server = await startServer({ models: ["m", "other"], latency: { kind: "fixed", ms: 60 } });
  const { id } = await createBatch(server, 300);
  while ((await getBatch(server, id)).status === "validating");
  await fetch(`${server.url}/v1/batches/${id}/cancel`, { method: "POST" });
  await (await fetch(`${server.url}/v1/batches/${id}/results?follow=true`)).text();
  const cancelled = await getBatch(server, id);
  const dropped = cancelled.request_counts.total - cancelled.request_counts.completed;
  expect(dropped).toBeGreaterThan(0);
  const retried = await fetch(`${server.url}/v1/batches/${id}/retry`, { method: "POST" });
  const again = (await retried.json()) as BatchObject;
  await (await fetch(`${server.url}/v1/batches/${again.id}/results?follow=true`)).text();
  expect(await getBatch(server, again.id)).toMatchObject({
    status: "completed",
    metadata: { retry_of: id },
    request_counts: { total: dropped, completed: dropped, failed: 0 },
  });
});
