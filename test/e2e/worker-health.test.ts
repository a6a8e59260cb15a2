import { describe, expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { withoutPostgres } from "../support/postgres.ts";

describe.skipIf(withoutPostgres !== null)(`a worker's health ${withoutPostgres ?? ""}`, () => {
  test("is told on a port of its own", async () => {
    await using cluster = await startCluster({ latencyMs: 0, concurrency: 1 });
    const silent = await cluster.worker("w0");
    expect(silent.output().stdout).not.toContain("metrics_url");
    const worker = await cluster.worker("w1", ["--metrics-port", "0"]);
    const { metrics_url: url } = JSON.parse(worker.output().stdout) as { metrics_url: string };
    const ask = async (path: string) => (await fetch(new URL(path, url))).status;
    expect([await ask("/healthz"), await ask("/readyz"), await ask("/v1/batches")]).toEqual([200, 200, 404]);
    const metrics = await (await fetch(url)).text();
    expect(metrics).toMatch(/^nerif_executing 1$/m);
    expect(metrics).toMatch(/^nerif_lines_queued 0$/m);
    worker.child.kill("SIGTERM");
    expect(await worker.ended).toMatchObject({ code: 0 });
  });

  test("is refused for other machines where there are no keys", async () => {
    await using cluster = await startCluster({ latencyMs: 0, concurrency: 1 });
    const command = ["worker", "--metrics-port", "0", "--host", "0.0.0.0"];
    const refused = await cluster.refused(command);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("nerif keys create")]);
  });
});
