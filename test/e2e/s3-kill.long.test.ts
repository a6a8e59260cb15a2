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
import { createHttpUpstream } from "../../src/upstreams/http.ts";
import { requestLines } from "../support/engine.ts";
import { allIds, idsOf, logsIn, onS3 } from "../support/on-s3.ts";
import { startS3 } from "../support/s3.ts";

const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
const worker = fileURLToPath(new URL("../support/s3-worker.ts", import.meta.url));

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
