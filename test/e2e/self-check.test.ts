import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openNerif } from "../../src/compose.ts";
import { serveInstance } from "../../src/http/serve.ts";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import type { Answer } from "../../src/upstreams/upstream.ts";
import { freePort } from "../support/free-port.ts";
import { requestLine } from "../support/http-instance.ts";
import { storageAt } from "../support/storage.ts";

const project = "default";

/** A data directory in which a batch of one line waits for somebody who executes it. */
async function waitingBatch(): Promise<{ dataDir: string; id: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), "nerif-self-"));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const opened = await openNerif({ ...storageAt(dataDir), execute: false });
  const staged = await opened.service.files.begin();
  await staged.write([Buffer.from(`${requestLine("a")}\n`)]);
  const input = await staged.finish(project, { filename: "a.jsonl", purpose: "batch" });
  const params = { input_file_id: input.id, endpoint: "/v1/embeddings", completion_window: "24h" };
  const { id } = await opened.service.batches.create(project, params);
  await opened.close();
  return { dataDir, id };
}

/** Opens a directory at one upstream, and shows the answers of that before the engine sees them. */
async function openAt(url: string, dataDir: string) {
  const opened = await openNerif({
    ...storageAt(dataDir),
    upstreams: [{ name: "only", url, concurrency: 1 }],
  });
  const [upstream] = opened.upstreams();
  if (upstream === undefined) throw new Error("There is no upstream");
  const answers: Answer[] = [];
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  const { send } = upstream;
  upstream.send = (call) =>
    send({
      ...call,
      onAnswer(answer) {
        answers.push(answer);
        call.onAnswer(answer);
        resolve();
      },
    });
  return { opened, upstream, answers, answered };
}

async function startSimulator(): Promise<string> {
  const simulator = createSimulator({});
  const { url } = await simulator.listen();
  onTestFinished(() => simulator.close());
  return url;
}

it("a server begins to send while an upstream still thinks about which models it has", async () => {
  const { dataDir, id } = await waitingBatch();
  const { opened, upstream, answered } = await openAt(await startSimulator(), dataDir);
  upstream.models = () => answered.then(() => []);
  const server = await serveInstance(opened, { port: 0 });
  onTestFinished(() => server.close());
  await opened.service.batches.wait(project, id);
});

it("a server that is its own upstream stops, and what it sent itself until then has cost no line anything", async () => {
  const { dataDir, id } = await waitingBatch();
  const port = await freePort();
  const { opened, upstream, answers, answered } = await openAt(`http://127.0.0.1:${port}/v1`, dataDir);
  const { models } = upstream;
  // It finds out after it has sent the line to itself.
  upstream.models = (signal) => answered.then(() => models(signal));
  await expect(serveInstance(opened, { port })).rejects.toMatchObject({ code: "upstream_is_self" });
  expect(answers[0]).toMatchObject({ ok: false, reason: "throttled", status: 429 });

  const mended = await openAt(await startSimulator(), dataDir);
  const server = await serveInstance(mended.opened, { port: 0 });
  onTestFinished(() => server.close());
  const batch = await mended.opened.service.batches.wait(project, id);
  expect(batch).toMatchObject({
    status: "completed",
    request_counts: { total: 1, completed: 1, failed: 0 },
  });
});
