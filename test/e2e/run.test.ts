import { linkSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

describe("nerif run", () => {
  it("runs every line and writes the results in input order", async () => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 1 } });
    work.write("in.jsonl", requestFile(300));
    const result = await work.run(["run", "in.jsonl"]);
    expect(result).toMatchObject({ code: 0, stdout: "" });
    expect(result.stderr).toMatch(/300 lines: 300 succeeded, 0 failed/);
    expect(result.stderr).toContain(work.path("in.output.jsonl"));
    expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual(
      Array.from({ length: 300 }, (_, index) => `r${index}`),
    );
    expect(work.has("in.errors.jsonl")).toBe(false);
    expect(new Set(work.sent()).size).toBe(300);
    expect(work.sent()).toHaveLength(300);
  });

  it("exits with 3 and keeps failed lines apart when some fail", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    work.write(
      "in.jsonl",
      requestFile(6, (request, index) => (index % 3 === 1 ? misnamed(request) : request)),
    );
    const result = await work.run(["run", "in.jsonl", "-o", "out.jsonl", "--errors", "bad.jsonl"]);
    expect(result.code).toBe(3);
    expect(result.stderr).toMatch(/6 lines: 4 succeeded, 2 failed/);
    expect(result.stderr).toMatch(/first failure "r1": model_not_found: .*does not exist/);
    expect(result.stderr).toMatch(/nerif batches retry batch_[0-9a-f]{32}/);
    expect(work.lines("out.jsonl").map((line) => line.custom_id)).toEqual(["r0", "r2", "r3", "r5"]);
    expect(work.lines("bad.jsonl")).toMatchObject([
      { custom_id: "r1", response: { status_code: 404 }, error: { code: "model_not_found" } },
      { custom_id: "r4", response: { status_code: 404 }, error: { code: "model_not_found" } },
    ]);
  });

  it("leaves a store in which its failed lines can be tried again", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    work.write(
      "in.jsonl",
      requestFile(3, (request, index) => (index === 1 ? misnamed(request) : request)),
    );
    const { stderr } = await work.run(["run", "in.jsonl"]);
    const [, id = "", store = ""] = /nerif batches retry (batch_\w+) --data-dir "(.*)"/.exec(stderr) ?? [];
    const retried = JSON.parse(
      (await work.run(["batches", "retry", id, "--data-dir", store, "--json"])).stdout,
    );
    const waited = await work.run(["batches", "wait", retried.id, "--data-dir", store]);
    expect(waited.code).toBe(3);
    expect(waited.stdout).toMatch(/1\/1 done, 1 failed/);
    const results = await work.run(["batches", "results", retried.id, "--data-dir", store]);
    expect(JSON.parse(results.stdout)).toMatchObject({ custom_id: "r1" });
    expect((await work.run(["run", "in.jsonl"])).stderr).toMatch(/3 lines: 2 succeeded, 1 failed/);
  });

  it("says so and sends nothing when it is finished already", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(5));
    await work.run(["run", "in.jsonl"]);
    const before = statSync(work.path("in.output.jsonl"));
    const again = await work.run(["run", "in.jsonl"], { env: { NERIF_UPSTREAM: "" } });
    expect(again.code).toBe(0);
    expect(again.stderr).toMatch(/This run is finished already/);
    expect(statSync(work.path("in.output.jsonl")).mtimeMs).toBe(before.mtimeMs);
    expect(work.sent()).toHaveLength(5);
  });

  it("starts anew with --force, and leaves nothing of the earlier results", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    work.write(
      "in.jsonl",
      requestFile(3, (request, index) => (index === 0 ? misnamed(request) : request)),
    );
    expect((await work.run(["run", "in.jsonl"])).code).toBe(3);
    work.write("in.jsonl", requestFile(4));
    const result = await work.run(["run", "in.jsonl", "--force"]);
    expect(result.code).toBe(0);
    expect(work.lines("in.output.jsonl")).toHaveLength(4);
    expect(work.has("in.errors.jsonl")).toBe(false);
  });

  it("runs only the first lines with --limit, and refuses to mix them with all", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", `\n${requestFile(20)}`);
    const result = await work.run(["run", "in.jsonl", "--limit", "7"]);
    expect(result.code).toBe(0);
    expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual([
      "r0",
      "r1",
      "r2",
      "r3",
      "r4",
      "r5",
      "r6",
    ]);
    expect(work.sent()).toHaveLength(7);
    const all = await work.run(["run", "in.jsonl"]);
    expect(all.code).toBe(2);
    expect(all.stderr).toMatch(/it belongs to a run with --limit 7; --force starts anew/);
    expect(work.sent()).toHaveLength(7);
  });

  it("runs lines of different endpoints and models in one file", async () => {
    await using work = await createCliWorkspace();
    const embedding = {
      custom_id: "e",
      method: "POST",
      url: "/v1/embeddings",
      body: { model: "e", input: "hi" },
    };
    work.write("in.jsonl", `${requestFile(1)}${JSON.stringify(embedding)}`);
    const result = await work.run(["run", "in.jsonl"]);
    expect(result.code).toBe(0);
    expect(work.lines("in.output.jsonl")).toMatchObject([
      { custom_id: "r0", response: { body: { object: "chat.completion" } } },
      { custom_id: "e", response: { body: { object: "list" } } },
    ]);
  });

  it("accepts a BOM, CRLF, blank lines and a last line without newline", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", `\ufeff${requestFile(3).replaceAll("\n", "\r\n\r\n").trimEnd()}`);
    const result = await work.run(["run", "in.jsonl"]);
    expect(result.code).toBe(0);
    expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual(["r0", "r1", "r2"]);
  });

  it("prints events with --json, one object a line, on stdout", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    work.write(
      "in.jsonl",
      requestFile(4, (request, index) => (index === 0 ? misnamed(request) : request)),
    );
    const result = await work.run(["run", "in.jsonl", "--json"]);
    expect(result.code).toBe(3);
    expect(result.stderr).toBe("");
    const events = result.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events[0]).toMatchObject({ event: "started", input: work.path("in.jsonl"), resumed: false });
    expect(events.at(-1)).toMatchObject({
      ...{ event: "finished", status: "completed", already: false, exit_code: 3 },
      ...{
        total: 4,
        completed: 3,
        failed: 1,
        output: work.path("in.output.jsonl"),
        errors: work.path("in.errors.jsonl"),
      },
    });
  });

  it("takes its options from variables and from the configuration file", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(9));
    work.write(
      "nerif.config.yaml",
      `limit: 2\noutput: from-file.jsonl\nupstreams:\n  - { name: sim, url: "${work.url}" }\n`,
    );
    const result = await work.run(["run", "in.jsonl"], { env: { NERIF_UPSTREAM: "", NERIF_LIMIT: "3" } });
    expect(result.code).toBe(0);
    expect(work.lines("from-file.jsonl")).toHaveLength(3);
  });

  it("runs two files side by side in one data directory", async () => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 5 } });
    work.write("a.jsonl", requestFile(200));
    work.write(
      "b.jsonl",
      requestFile(200, (request) => ({ ...request, custom_id: `b-${request.custom_id}` })),
    );
    const [a, b] = await Promise.all([work.run(["run", "a.jsonl"]), work.run(["run", "b.jsonl"])]);
    expect([a.code, b.code]).toEqual([0, 0]);
    expect(work.lines("a.output.jsonl")).toHaveLength(200);
    expect(work.lines("b.output.jsonl").every((line) => line.custom_id.startsWith("b-"))).toBe(true);
  });

  it("refuses a second run with the same output, naming the first", async () => {
    await using work = await createCliWorkspace({ hangRate: 1 });
    work.write("in.jsonl", requestFile(5));
    linkSync(work.path("in.jsonl"), work.path("same.jsonl"));
    const first = work.start(["run", "in.jsonl", "-o", "out.jsonl"]);
    await first.printed(/Running/);
    const second = await work.run(["run", "in.jsonl", "-o", "out.jsonl"]);
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(
      new RegExp(`out\\.jsonl is in the hands of nerif run \\(process ${first.child.pid},`),
    );
  });
});

function misnamed(request: { body: object }) {
  return { ...request, body: { ...request.body, model: "missing" } };
}
