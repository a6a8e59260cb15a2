import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { serve } from "../../src/server.ts";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

describe("an upstream of the configuration", () => {
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

  it("without the variable that one of its headers needs, is refused before anything is sent", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(1));
    const upstream = { name: "sim", url: work.url, headers: { "x-key": { env: "NO_SUCH_KEY" } } };
    work.write("nerif.config.json", JSON.stringify({ upstreams: [upstream] }));
    const result = await work.run(["run", "in.jsonl"], { env: { NERIF_UPSTREAM: "" } });
    expect([result.code, result.stderr]).toEqual([2, expect.stringContaining("NO_SUCH_KEY")]);
    expect(work.sent()).toEqual([]);
  });

  it("lists the names that requests have for its models", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "nerif-routing-"));
    const simulator = createSimulator({ models: ["llama-3", "other"] });
    const { url } = await simulator.listen();
    const upstreams = [{ name: "sim", url, models: { "gpt-4o": "llama-3", "llama-*": null } }];
    const server = await serve({ dataDir, port: 0, upstreams });
    const listed = (await (await fetch(`${server.url}/v1/models`)).json()) as { data: { id: string }[] };
    expect(listed.data.map(({ id }) => id).sort()).toEqual(["gpt-4o", "llama-3"]);
    await server.close();
    await simulator.close();
    await rm(dataDir, { recursive: true, force: true });
  });
});
