import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../../src/server.ts";
import { createSimulator, type SimulatorOptions } from "../../src/upstreams/simulator/simulator.ts";
import { openTestInstance, requestLine, uploadInput } from "../support/http-instance.ts";
import { inputForm, startTestServer } from "../support/http-server.ts";
import { storageAt } from "../support/storage.ts";

/** The values of a text in Prometheus' format by name and labels; whatever is not in that format throws. */
function parse(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const described = new Set<string>();
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (comment?.[1] === "TYPE" && /^(counter|gauge)$/.test(comment[3] ?? ""))
      described.add(comment[2] ?? "");
    if (comment !== null) continue;
    const sample =
      /^(([a-z_]+)(?:\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})?) (\S+)$/.exec(line);
    const [, key = "", name = "", value] = sample ?? [];
    if (sample === null || !described.has(name) || Number.isNaN(Number(value)) || values.has(key)) {
      throw new Error(`This is no sample: ${line}`);
    }
    values.set(key, Number(value));
  }
  return values;
}

async function startServer(simulation: SimulatorOptions) {
  const simulator = createSimulator(simulation);
  const { url } = await simulator.listen();
  const dataDir = await mkdtemp(join(tmpdir(), "nerif-metrics-"));
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
  const post = async (path: string, body: string | FormData) => {
    const response = await fetch(`${server.url}${path}`, { method: "POST", body });
    return (await response.json()) as { id: string };
  };
  return {
    dataDir,
    async createBatch(lines: number): Promise<void> {
      const input = Array.from({ length: lines }, (_, index) => `${requestLine(`row-${index}`)}\n`).join("");
      const { id } = await post("/v1/files", inputForm(input));
      const params = { input_file_id: id, endpoint: "/v1/embeddings", completion_window: "24h" };
      await post("/v1/batches", JSON.stringify(params));
    },
    async metrics(): Promise<{ text: string; values: Map<string, number>; type: string | null }> {
      const response = await fetch(`${server.url}/metrics`);
      const text = await response.text();
      return { text, values: parse(text), type: response.headers.get("content-type") };
    },
  };
}

const lane = 'upstream="local",endpoint="/v1/embeddings",model="m"';

describe("GET /metrics", () => {
  it("tells in Prometheus' format how upstreams, models and batches fare", async () => {
    const server = await startServer({ latency: { kind: "fixed", ms: 5 }, errorRate: 0.2, seed: 7 });
    const before = await server.metrics();
    expect(before.type).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(before.values.get('nerif_batches{status="completed"}')).toBe(0);
    expect(before.values.get("nerif_executing")).toBe(1);
    expect(before.values.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(before.text).not.toContain("nerif_calls_total{");
    await server.createBatch(60);
    let now = before;
    const running: number[] = [];
    while (now.values.get('nerif_batches{status="completed"}') !== 1) {
      now = await server.metrics();
      running.push(now.values.get(`nerif_lane_in_flight{${lane}}`) ?? 0);
    }
    expect(Math.max(...running)).toBeGreaterThan(0);
    const outcome = (name: string) => now.values.get(`nerif_calls_total{${lane},outcome="${name}"}`);
    expect(now.values.get("nerif_lines_queued")).toBe(0);
    expect(outcome("succeeded")).toBe(60);
    expect(outcome("unavailable")).toBeGreaterThan(0);
    expect(outcome("throttled")).toBe(0);
    expect(now.values.get(`nerif_lane_limit{${lane}}`)).toBe(4);
    expect(now.values.get(`nerif_lane_in_flight{${lane}}`)).toBe(0);
    expect(now.text).not.toContain(server.dataDir);
  });

  it("shows that an upstream is paused, and which batches wait for it", async () => {
    const server = await startServer({ throttleRate: 1, retryAfterMs: 60_000 });
    await server.createBatch(10);
    let { values } = await server.metrics();
    while (values.get('nerif_batches_waiting{reason="throttled"}') !== 1)
      values = (await server.metrics()).values;
    expect(values.get(`nerif_lane_paused{${lane},reason="throttled"}`)).toBe(1);
    expect(values.get(`nerif_lane_paused{${lane},reason="outage"}`)).toBe(0);
    expect(values.get(`nerif_calls_total{${lane},outcome="throttled"}`)).toBeGreaterThan(0);
    expect(values.get(`nerif_lane_lines_waiting{${lane}}`)).toBeGreaterThan(0);
  });

  it("is for keys of the default project, where there are keys, and for this machine, where there are none", async () => {
    const instance = await openTestInstance();
    const server = await startTestServer({ instance });
    const ask = async (headers: Record<string, string>) =>
      (await server.send("/metrics", { headers })).status;
    expect(await ask({})).toBe(200);
    expect(await ask({ origin: "https://evil.example" })).toBe(403);
    const own = (await instance.service.keys.create({})).key;
    const other = (await instance.service.keys.create({ project: "search" })).key;
    expect(await ask({})).toBe(401);
    expect(await ask({ authorization: `Bearer ${other}` })).toBe(403);
    expect(await ask({ authorization: `Bearer ${own}` })).toBe(200);
  });

  it("leaves the batches out, and nothing else, while the storage does not answer", async () => {
    const instance = await openTestInstance();
    await uploadInput(instance, `${requestLine("a")}\n`);
    const server = await startTestServer({ instance });
    const whole = parse(await (await server.send("/metrics")).text());
    expect(whole.get('nerif_batches{status="failed"}')).toBe(0);
    instance.control.countBatches = () => Promise.reject(new Error("it is away"));
    const response = await server.send("/metrics");
    expect(response.status).toBe(200);
    const isOfBatches = (key: string) => key.startsWith("nerif_batches") || key === "nerif_lines_queued";
    const names = [...parse(await response.text()).keys()];
    expect(names).toEqual([...whole.keys()].filter((key) => !isOfBatches(key)));
  });
});
