import { describe, expect, it } from "vitest";
import { type CliWorkspace, createCliWorkspace, requestFile } from "../support/cli-workspace.ts";
import { startTestServer } from "../support/http-server.ts";

const create = ["batches", "create", "in.jsonl", "--endpoint", "/v1/embeddings", "--json"];

async function workspace(): Promise<CliWorkspace> {
  const work = await createCliWorkspace({ latency: { kind: "fixed", ms: 1 } });
  work.write("in.jsonl", requestFile(3));
  return work;
}

describe("--priority", () => {
  it.each(["0", "101", "1.5", "high"])("is refused as %s, and nothing is uploaded", async (priority) => {
    await using work = await workspace();
    const refused = await work.run([...create, "--priority", priority]);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toBe(
      `nerif: Cannot use --priority "${priority}": it must be a whole number from 1 to 100\n`,
    );
  });
});

describe.each(["the data directory", "a server"])("--priority of new batches at %s", (where) => {
  /** Runs commands there. */
  async function runner(work: CliWorkspace): Promise<CliWorkspace["run"]> {
    const at: Record<string, string> =
      where === "a server" ? { NERIF_SERVER: (await startTestServer()).url } : {};
    return (args, { env = {} } = {}) => work.run(args, { env: { ...at, ...env } });
  }

  it("is the share of a new batch, beside its other metadata", async () => {
    await using work = await workspace();
    const run = await runner(work);
    const { stdout } = await run([...create, "--priority", "20", "--metadata", "team=search"]);
    expect(JSON.parse(stdout).metadata).toEqual({ team: "search", nerif_priority: "20" });
    const plain = await run([...create, "--metadata", "team=search"]);
    expect(JSON.parse(plain.stdout).metadata).toEqual({ team: "search" });
    const fromEnvironment = await run(create, { env: { NERIF_PRIORITY: "7" } });
    expect(JSON.parse(fromEnvironment.stdout).metadata).toEqual({ nerif_priority: "7" });
  });

  it("is refused beside metadata that says something else, and nothing is uploaded", async () => {
    await using work = await workspace();
    const run = await runner(work);
    const twice = [...create, "--priority", "20", "--metadata", "nerif_priority=30"];
    const refused = await run(twice);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(/of priority 20: its metadata says nerif_priority=30; keep one of them/);
    expect((await run(["files", "list"])).stdout).toBe("");
  });
});

describe("--priority of a run", () => {
  it("is noted with its batch", async () => {
    await using work = await workspace();
    const run = async (...more: string[]) => {
      const { stdout } = await work.run(["run", "in.jsonl", "--data-dir", "d", "--json", ...more]);
      const started = JSON.parse(stdout.split("\n")[0] ?? "");
      const get = ["batches", "get", started.batch, "--data-dir", started.store, "--json"];
      return JSON.parse((await work.run(get)).stdout).metadata;
    };
    expect(await run("--priority", "5")).toEqual({ nerif_priority: "5" });
    expect(await run("--force")).toBeNull();
  });
});
