import { describe, expect, it } from "vitest";
import { createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

describe("two runs and a server in one data directory", () => {
  it("each send their own lines once, and end", async () => {
    await using workspace = await createCliWorkspace({ latency: { kind: "fixed", ms: 20 } });
    const file = (name: string) =>
      requestFile(300, (request, i) => ({
        ...request,
        custom_id: `${name}${i}`,
        body: { ...request.body, user: `${name}${i}` },
      }));
    for (const name of ["a", "b", "c"]) workspace.write(`${name}.jsonl`, file(name));
    const server = workspace.start(["serve", "--port", "0"]);
    await server.printed(/http:\/\/127\.0\.0\.1:\d+/);
    const { stdout, stderr } = server.output();
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(stdout + stderr)?.[0];

    const runs = [workspace.run(["run", "a.jsonl"]), workspace.run(["run", "b.jsonl"])];
    const uploaded = await workspace.run(["files", "upload", "c.jsonl", "--server", `${url}`, "--json"]);
    const id = JSON.parse(uploaded.stdout).id;
    const created = await workspace.run(["batches", "create", id, "--server", `${url}`, "--json"]);
    const batch = JSON.parse(created.stdout).id;
    const waited = await workspace.run(["batches", "wait", batch, "--server", `${url}`, "--json"]);
    expect(waited.code, waited.stderr).toBe(0);
    for (const run of await Promise.all(runs)) expect(run.code, run.stderr).toBe(0);

    const sent = workspace.sent();
    expect(sent).toHaveLength(900);
    expect(new Set(sent).size).toBe(900);
    for (const name of ["a", "b"]) {
      const ids = workspace.lines(`${name}.output.jsonl`).map((line) => line.custom_id);
      expect(ids).toEqual(Array.from({ length: 300 }, (_, i) => `${name}${i}`));
    }
  });
});
