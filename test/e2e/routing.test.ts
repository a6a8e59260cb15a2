import { hash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { serve } from "../../src/server.ts";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { createCliWorkspace, requestFile } from "../support/cli-workspace.ts";
import { storageAt } from "../support/storage.ts";

describe("an upstream of the configuration of a run", () => {
  it("gets its own headers and its own name of the model", async () => {
    await using work = await createCliWorkspace({ models: ["llama-3"], apiKey: "right-key-0123" });
    work.write("in.jsonl", requestFile(20));
    work.write(
      "nerif.config.yaml",
      `upstreams:
  - name: sim
    url: ${work.url}
    models: { m: llama-3 }
    headers: { authorization: { env: GATEWAY_AUTH } }
`,
    );
    const env = { NERIF_UPSTREAM: "", GATEWAY_AUTH: "Bearer right-key-0123" };
    const result = await work.run(["run", "in.jsonl"], { env });
    expect([result.code, result.stderr]).toEqual([0, expect.not.stringContaining("right-key")]);
    const lines = work.lines("in.output.jsonl");
    expect(lines).toHaveLength(20);
    for (const { response } of lines) expect(response?.body).toMatchObject({ model: "llama-3" });
  });

  it("gets the priority of the configuration, and its share of the calls at once over all models", async () => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 5 } });
    const models = (request: object, index: number) => ({
      ...request,
      body: { model: `m${index % 3}`, input: `${index}` },
      url: "/v1/embeddings",
    });
    work.write("in.jsonl", requestFile(120, models));
    const upstream = { name: "sim", url: work.url, concurrency: 16, max_share: 0.25, priority: 10 };
    work.write("nerif.config.json", JSON.stringify({ upstreams: [upstream] }));
    const result = await work.run(["run", "in.jsonl"], { env: { NERIF_UPSTREAM: "" } });
    expect([result.code, result.stderr]).toEqual([0, expect.stringContaining("120")]);
    expect(work.simulator.served).toMatchObject({ requests: 120, peakInFlight: 4 });
    const bodies = Array.from(
      { length: 120 },
      (_, index) => `{"priority":10,"model":"m${index % 3}","input":"${index}"}`,
    );
    const sums = bodies.map((body) => hash("sha256", body));
    expect(work.sent().sort()).toEqual(sums.sort());
  });

  it("gets its own time for an answer", async () => {
    await using work = await createCliWorkspace({ script: [{ answer: "hang" }] });
    work.write("in.jsonl", requestFile(1));
    const upstream = { name: "sim", url: work.url, request_timeout: "50ms" };
    work.write("nerif.config.json", JSON.stringify({ upstreams: [upstream], request_timeout: "1h" }));
    const result = await work.run(["run", "in.jsonl"], { env: { NERIF_UPSTREAM: "" } });
    expect(result.code).toBe(3);
    expect(work.lines("in.errors.jsonl")).toMatchObject([{ error: { code: "request_timeout" } }]);
  });

  it("takes all calls at once in its off-peak time", async () => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 5 } });
    work.write("in.jsonl", requestFile(120));
    const share = { max_share: 0.25, off_peak: ["sun-sat 00:00-24:00"], target_latency: "10m" };
    const upstream = { name: "sim", url: work.url, concurrency: 16, ...share };
    work.write("nerif.config.json", JSON.stringify({ upstreams: [upstream] }));
    expect((await work.run(["run", "in.jsonl"], { env: { NERIF_UPSTREAM: "" } })).code).toBe(0);
    expect(work.simulator.served.peakInFlight).toBe(16);
  });

  it("without the variable that one of its headers needs, is refused before anything is sent", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(1));
    const upstream = { name: "sim", url: work.url, headers: { "x-key": { env: "NO_SUCH_KEY" } } };
    work.write("nerif.config.json", JSON.stringify({ upstreams: [upstream] }));
    const result = await work.run(["run", "in.jsonl"], { env: { NERIF_UPSTREAM: "" } });
    expect([result.code, result.stderr]).toEqual([2, expect.stringContaining("NO_SUCH_KEY")]);
    expect(work.sent()).toEqual([]);
  });
});

describe("an upstream of the configuration of a server", () => {
  it("lists the names that requests have for its models", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "nerif-routing-"));
    const simulator = createSimulator({ models: ["llama-3", "other"] });
    const { url } = await simulator.listen();
    const upstreams = [{ name: "sim", url, models: { "gpt-4o": "llama-3", "llama-*": null } }];
    const server = await serve({ ...storageAt(dataDir), port: 0, upstreams });
    const listed = (await (await fetch(`${server.url}/v1/models`)).json()) as { data: { id: string }[] };
    expect(listed.data.map(({ id }) => id).sort()).toEqual(["gpt-4o", "llama-3"]);
    await server.close();
    await simulator.close();
    await rm(dataDir, { recursive: true, force: true });
  });
});
