import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { limits } from "../../src/batch/limits.ts";
import { openSqliteControlStore } from "../../src/control/sqlite.ts";
import { sweep } from "../../src/engine/sweep.ts";
import { createS3FileStore } from "../../src/files/s3.ts";
import { createObjectJournal } from "../../src/journal/objects.ts";
import { createHttpUpstream } from "../../src/upstreams/http.ts";
import { createEngineFixture, type EngineFixture, requestLines } from "../support/engine.ts";
import { type S3Server, startS3 } from "../support/s3.ts";
import { createScriptedUpstream, echo } from "../support/scripted-upstream.ts";

const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
const worker = fileURLToPath(new URL("../support/s3-worker.ts", import.meta.url));

test("a batch asks S3 at most four times for a shard, beside its flushes", async () => {
  const shards = 12;
  const flushIntervalMs = 20;
  const server = await startS3();
  const upstream = createScriptedUpstream(slowEcho(10), { concurrency: 16 });
  const { addBatch, engine, until, lines } = await onS3(server, upstream, { flushIntervalMs });
  const batch = await addBatch(requestLines(shards * limits.shardLines));
  server.requests.length = 0;
  const began = performance.now();
  await engine.start();
  const done = await until(batch.id);
  const seconds = (performance.now() - began) / 1000;
  expect(done).toMatchObject({
    status: "completed",
    request_counts: { completed: shards * limits.shardLines },
  });

  const flushes = server.requests.filter(({ key }) => key.includes("/log-")).length;
  // It was written in many pieces indeed, so that reading these back one by one would have cost too much.
  expect(flushes).toBeGreaterThan(2 * shards);
  expect(server.requests.length - flushes).toBeLessThanOrEqual(4 * shards);
  expect(server.requests.length).toBeLessThanOrEqual(4 * shards + (seconds * 1000) / flushIntervalMs);
  expect(idsOf(await lines(done.output_file_id))).toEqual(allIds(shards * limits.shardLines));
});

test("a worker that is killed leaves all that the next one needs, and only calls on their way are repeated", async () => {
  const count = 1_500;
  const server = await startS3();
  const model = await startModel();
  const path = databasePath();
  const { addBatch, deps, until, lines, engine } = await onS3(server, model.upstream, { path });
  const batch = await addBatch(requestLines(count));

  for (const killedAt of [6, 14]) {
    const child = spawn(node, [worker, path, JSON.stringify(server.options), model.url], {
      stdio: "inherit",
    });
    await server.seen(() => logsIn(server) >= killedAt);
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  const before = await deps.control.getBatch(null, batch.id);
  expect(before?.status).toBe("in_progress");
  const sentBefore = model.asked.length;
  expect(sentBefore).toBeLessThan(count);

  await engine.start();
  const done = await until(batch.id);
  expect(done).toMatchObject({
    status: "completed",
    request_counts: { total: count, completed: count, failed: 0 },
  });
  const results = await lines(done.output_file_id);
  expect(idsOf(results)).toEqual(allIds(count));
  // Each answer is that of its own line.
  for (const { custom_id, response } of results)
    expect(response?.body).toMatchObject({ about: `Say ${custom_id.slice(1)}` });
  // What was sent twice was in flight, or waited for its flush: twice, 16 calls and what comes in a flush or two.
  expect(model.asked.length - count).toBeLessThan(2 * (16 + 1_024));
  expect(new Set(model.asked).size).toBe(count);
});

test("sweeping never takes what a running batch needs, however old it is, and takes what nothing names", async () => {
  const server = await startS3();
  const upstream = createScriptedUpstream(slowEcho(5), { concurrency: 16 });
  const muchLater = () => Date.now() + 30 * 86_400_000;
  const fixture = await onS3(server, upstream, { now: muchLater });
  const { deps, files, addBatch, engine, until, lines } = fixture;
  const orphan = await files.create("file-0000000000000000000000000000dead");
  await orphan.write([Buffer.from("nobody knows it")]);
  await orphan.commit();
  const batch = await addBatch(requestLines(2_000));
  await engine.start();
  let isOver = false;
  const ended = until(batch.id).finally(() => {
    isOver = true;
  });
  let sweeps = 0;
  while (!isOver) {
    await sweep(deps);
    sweeps += 1;
  }
  const done = await ended;
  await sweep(deps);
  expect(sweeps).toBeGreaterThan(2);
  expect(idsOf(await lines(done.output_file_id))).toEqual(allIds(2_000));
  expect(await files.size("file-0000000000000000000000000000dead")).toBeNull();
  // Its working files are gone, its input and its results are there.
  const bucket = await server.open();
  expect(await Array.fromAsync(bucket.list("", "look"), ({ key }) => key)).toEqual(
    [`files/${batch.input_file_id}`, `files/${done.output_file_id}`].sort(),
  );
});

test("a batch waits while S3 is away, loses nothing, and goes on by itself", async () => {
  const server = await startS3();
  const upstream = createScriptedUpstream(slowEcho(2), { concurrency: 16 });
  const { addBatch, engine, until, lines, deps } = await onS3(server, upstream, {
    flushIntervalMs: 5,
    maxAttempts: 1,
  });
  const batch = await addBatch(requestLines(2_000));
  await engine.start();
  await server.seen(() => logsIn(server) >= 5);
  server.fault = ({ key }) => (key.includes("journal/") ? "lose" : null);
  await new Promise<void>((resolve) => {
    const off = deps.journal.onFlush(() => {
      if (!deps.journal.stalled) return;
      off();
      resolve();
    });
  });
  const sent = upstream.calls.length;
  const tried = logsIn(server);
  await server.seen(() => logsIn(server) > tried + 1);
  // Nothing is sent whose answer could not be kept.
  expect(upstream.calls.length - sent).toBeLessThanOrEqual(16);
  server.fault = () => null;
  const done = await until(batch.id);
  expect(done).toMatchObject({ status: "completed", request_counts: { completed: 2_000 } });
  expect(idsOf(await lines(done.output_file_id))).toEqual(allIds(2_000));
  expect(upstream.calls).toHaveLength(2_000);
});

interface OnS3 {
  path?: string;
  flushIntervalMs?: number;
  maxAttempts?: number;
  now?: () => number;
}

async function onS3(
  server: S3Server,
  upstream: Parameters<typeof createEngineFixture>[0],
  { path, flushIntervalMs = 200, maxAttempts = 4, now }: OnS3 = {},
): Promise<EngineFixture> {
  const bucket = await server.open({ maxAttempts });
  return createEngineFixture(upstream, {
    files: createS3FileStore(bucket, now && { now }),
    journal: createObjectJournal({ bucket, flushIntervalMs }),
    ...(path === undefined ? {} : { control: await openSqliteControlStore({ path }) }),
  });
}

function slowEcho(ms: number): Parameters<typeof createScriptedUpstream>[0] {
  return async (call) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return echo(call);
  };
}

/** A model server that remembers what it was asked. */
async function startModel() {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const { messages } = (await json(request)) as { messages: { content: string }[] };
    const about = messages[0]?.content ?? "";
    asked.push(about);
    const answer = JSON.stringify({ choices: [], about, usage: { total_tokens: 1 } });
    setTimeout(() => response.setHeader("content-type", "application/json").end(answer), 40);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const upstream = createHttpUpstream({ name: "model", url, concurrency: 16 });
  onTestFinished(async () => {
    await upstream.close();
    server.closeAllConnections();
    server.close();
  });
  return { url, upstream, asked };
}

function databasePath(): string {
  const directory = mkdtempSync(join(tmpdir(), "nerif-on-s3-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "nerif.db");
}

function logsIn({ requests }: S3Server): number {
  return requests.filter(({ operation, key }) => operation === "PutObject" && key.includes("/log-")).length;
}

function idsOf(results: { custom_id: string }[]): string[] {
  return results.map(({ custom_id }) => custom_id);
}

function allIds(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `r${i}`);
}
