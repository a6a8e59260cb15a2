import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { BatchProgress } from "../../src/batch/progress.ts";
import { createNerif } from "../../src/index.ts";
import { createHandler, serve } from "../../src/server.ts";
import { createSimulator, type SimulatorOptions } from "../../src/upstreams/simulator/simulator.ts";
import { startCli } from "../support/cli-process.ts";
import { openTestInstance, project, requestLine, uploadInput } from "../support/http-instance.ts";
import { inputForm, startTestServer } from "../support/http-server.ts";
import { storageAt } from "../support/storage.ts";

async function startServer(simulation: SimulatorOptions) {
  const simulator = createSimulator(simulation);
  const { url } = await simulator.listen();
  const dataDir = await mkdtemp(join(tmpdir(), "nerif-progress-"));
  const server = await serve({
    ...storageAt(dataDir),
    port: 0,
    upstreams: [{ name: "local", url, concurrency: 4 }],
  });
  onTestFinished(async () => {
    await server.close();
    await simulator.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const json = async <T>(path: string, init?: RequestInit) =>
    (await (await fetch(`${server.url}${path}`, init)).json()) as T;
  return {
    dataDir,
    simulator,
    url,
    ownUrl: server.url,
    async createBatch(lines: number): Promise<string> {
      const input = Array.from({ length: lines }, (_, index) => `${requestLine(`row-${index}`)}\n`).join("");
      const file = await json<{ id: string }>("/v1/files", { method: "POST", body: inputForm(input) });
      const params = { input_file_id: file.id, endpoint: "/v1/embeddings", completion_window: "24h" };
      return (await json<{ id: string }>("/v1/batches", { method: "POST", body: JSON.stringify(params) })).id;
    },
    async untilProgress(id: string, isEnough: (progress: BatchProgress) => boolean): Promise<BatchProgress> {
      for (;;) {
        const progress = await json<BatchProgress>(`/v1/batches/${id}/progress`);
        if (isEnough(progress)) return progress;
      }
    },
  };
}

describe("GET /v1/batches/{id}/progress", () => {
  it("tells rate, time and routes while lines run, and 0 seconds at the end", async () => {
    const server = await startServer({ latency: { kind: "fixed", ms: 20 } });
    const id = await server.createBatch(200);
    const running = await server.untilProgress(id, ({ rate, routes }) => {
      return rate !== null && rate > 0 && typeof routes[0]?.rate === "number";
    });
    const { completed, failed, total } = running.request_counts;
    expect(total).toBe(200);
    expect(running).toMatchObject({
      object: "batch.progress",
      id,
      state: "in_progress",
      waiting_reason: null,
    });
    // In whole seconds, from a rate that was not rounded yet.
    const left = (total - completed - failed) / Number(running.rate);
    expect(Math.abs(Number(running.eta_seconds) - left)).toBeLessThan(1.1);
    expect(running.routes).toEqual([
      {
        endpoint: "/v1/embeddings",
        model: "m",
        upstream: "local",
        limit: 4,
        limit_per_second: null,
        in_flight: expect.any(Number),
        rate: expect.any(Number),
        waiting: 0,
        reason: null,
      },
    ]);
    expect(running.routes[0]?.in_flight).toBeLessThanOrEqual(4);
    const final = await server.untilProgress(id, ({ state }) => state === "completed");
    expect(final).toEqual({
      object: "batch.progress",
      id,
      state: "completed",
      waiting_reason: null,
      rate: null,
      eta_seconds: 0,
      request_counts: { total: 200, completed: 200, failed: 0 },
      routes: [],
    });
  });

  it("says why nothing is sent, and to whom", async () => {
    const server = await startServer({});
    await server.simulator.close();
    const id = await server.createBatch(3);
    const waiting = await server.untilProgress(id, ({ waiting_reason }) => waiting_reason !== null);
    const reason = { code: "unreachable", message: expect.stringContaining("cannot be reached") };
    expect(waiting).toMatchObject({ state: "in_progress", waiting_reason: reason, eta_seconds: null });
    expect(waiting.routes).toMatchObject([{ upstream: "local", reason }]);
    expect(JSON.stringify(waiting)).not.toContain(server.url);
    const get = startCli(["batches", "get", id, "--server", server.ownUrl], { cwd: server.dataDir });
    const { code, stdout } = await get.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ {2}waits: m at local: [01] of 4 in flight, .*unreachable: The upstream cannot be reached/m,
    );
  });

  it("tells what is recorded where another process executes", async () => {
    const server = await startServer({ latency: { kind: "fixed", ms: 50 } });
    const id = await server.createBatch(500);
    await server.untilProgress(id, ({ state }) => state === "in_progress");
    await using beside = createNerif({ ...storageAt(server.dataDir), upstream: server.url });
    const fromHandler = await createHandler(beside)(
      new Request(`http://localhost/v1/batches/${id}/progress`),
    );
    const progress = await beside.batches.progress(id);
    expect(progress).toMatchObject({ state: "in_progress", rate: null, eta_seconds: null, routes: [] });
    expect(progress.request_counts.total).toBe(500);
    expect(await fromHandler.json()).toMatchObject({ id, state: "in_progress", routes: [] });
  });

  it("answers for a foreign batch as for an unknown one", async () => {
    const instance = await openTestInstance();
    const server = await startTestServer({ instance });
    const { id: input_file_id } = await uploadInput(instance, `${requestLine("a")}\n`);
    const params = { input_file_id, endpoint: "/v1/embeddings", completion_window: "24h" };
    const { id } = await instance.service.batches.create(project, params);
    const foreign = id.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
    const batch = await instance.control.getBatch(null, id);
    if (batch === null) throw new Error("There is no batch");
    await instance.control.insertBatch({ ...batch, id: foreign, project: "other" });
    for (const unknown of [foreign, "batch_x", `batch_${"0".repeat(32)}`]) {
      const response = await server.send(`/v1/batches/${unknown}/progress`);
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({
        error: {
          message: `No batch found with id '${unknown}'.`,
          type: "invalid_request_error",
          param: null,
          code: null,
        },
      });
    }
  });
});
