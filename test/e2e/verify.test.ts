import { readdirSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type CliWorkspace, createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

/** A finished run of some lines that succeed and some that fail. */
async function finishedRun(args: readonly string[] = []): Promise<CliWorkspace> {
  const work = await createCliWorkspace({ models: ["m"] });
  work.write(
    "in.jsonl",
    requestFile(30, (request, index) =>
      index % 10 === 3 ? { ...request, body: { ...request.body, model: "unknown" } } : request,
    ),
  );
  expect((await work.run(["run", "in.jsonl", ...args])).code).toBe(3);
  return work;
}

/** A batch of 20 lines that a server has executed. */
async function servedBatch(work: CliWorkspace): Promise<{ id: string; url: string }> {
  const server = work.start(["serve", "--port", "0"]);
  await server.printed(/http:\/\/127\.0\.0\.1:\d+/);
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(server.output().stderr)?.[0] ?? "";
  work.write("in.jsonl", requestFile(20));
  const created = await work.run(["batches", "create", "in.jsonl", "--server", url, "--json"]);
  const { id } = JSON.parse(created.stdout) as { id: string };
  await work.run(["batches", "wait", id, "--server", url]);
  return { id, url };
}

describe("nerif verify of a run", () => {
  it("proves a finished one, and tells what was done to its files afterwards", async () => {
    await using work = await finishedRun();
    const sound = await work.run(["verify", "in.jsonl"]);
    expect(sound.stderr).toContain("in.jsonl adds up: 30 lines: 27 succeeded, 3 failed");
    expect(sound.code).toBe(0);

    const output = work.read("in.output.jsonl");
    work.write("in.output.jsonl", output.replace("Say", "Sai").replace('"role"', '"rule"'));
    const changed = await work.run(["verify", "in.jsonl", "--json"]);
    expect(changed.code).toBe(3);
    const events = changed.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events).toMatchObject([
      { event: "problem", code: "wrong_bytes", file: "output" },
      {
        event: "verified",
        ok: false,
        lines: 30,
        succeeded: 27,
        failed: 3,
        never_run: 0,
        problems: 1,
        exit_code: 3,
      },
    ]);

    work.write("in.output.jsonl", output.split("\n").slice(1).join("\n"));
    const cut = await work.run(["verify", "in.jsonl"]);
    expect(cut.stdout).toContain('input line 1: missing_line: "r0" has no result');
    expect(cut.stderr).toMatch(/does not add up: \d problems/);
    expect(cut.code).toBe(3);

    rmSync(work.path("in.output.jsonl"));
    const gone = await work.run(["verify", "in.jsonl"]);
    expect(gone.stderr).toMatch(/Cannot verify batch_\w+: its file .*in\.output\.jsonl is gone/);
    expect(gone.code).toBe(2);
  });

  it("holds the files of a run against each other where its store is gone", async () => {
    await using work = await finishedRun();
    rmSync(work.path("data"), { recursive: true });
    const sound = await work.run(["verify", "in.jsonl"]);
    expect(sound.code, sound.stderr).toBe(0);
    work.write("in.errors.jsonl", work.read("in.errors.jsonl").slice(0, -10));
    expect((await work.run(["verify", "in.jsonl"])).code).toBe(3);
    expect((await work.run(["verify", "in.jsonl", "-o", "other.jsonl", "--errors", "none.jsonl"])).code).toBe(
      2,
    );
  });

  it("proves one to stdout, where failed lines stand among the others", async () => {
    await using work = await finishedRun(["-o", "-"]);
    const sound = await work.run(["verify", "in.jsonl", "-o", "-"]);
    expect(sound.stderr).toContain("27 succeeded, 3 failed");
    expect(sound.code).toBe(0);
  });

  it("refuses one that is not finished", async () => {
    await using work = await createCliWorkspace({ hangRate: 1 });
    work.write("in.jsonl", requestFile(3));
    const run = work.start(["run", "in.jsonl"]);
    await run.printed(/Running/);
    run.child.kill("SIGKILL");
    await run.ended;
    const refused = await work.run(["verify", "in.jsonl"]);
    expect(refused.stderr).toContain("Cannot verify in.jsonl: its run is not finished");
    expect(refused.code).toBe(2);
  });
});

describe("nerif verify of a batch", () => {
  it("proves one of a server over HTTP", async () => {
    await using work = await createCliWorkspace();
    const { id, url } = await servedBatch(work);
    const sound = await work.run(["verify", id, "--server", url]);
    expect(sound.stderr).toContain(`${id} adds up: 20 lines: 20 succeeded, 0 failed`);
    expect(sound.code).toBe(0);
    const unknown = await work.run(["verify", `batch_${"0".repeat(32)}`, "--server", url]);
    expect(unknown.code).toBe(2);
  });

  it("proves one of a data directory beside its server", async () => {
    await using work = await createCliWorkspace();
    const { id } = await servedBatch(work);
    expect((await work.run(["verify", id])).code).toBe(0);

    const shown = await work.run(["batches", "get", id, "--json"]);
    const { output_file_id } = JSON.parse(shown.stdout) as { output_file_id: string };
    const path = readdirSync(work.path("data/files")).find((name) => name === output_file_id);
    const text = work.read(`data/files/${path}`);
    work.write(`data/files/${path}`, text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1));
    const cut = await work.run(["verify", id]);
    expect(cut.stdout).toMatch(/missing_line: "r19" has no result/);
    expect(cut.stdout).toMatch(/wrong_bytes: It has \d+ bytes, and \d+ were recorded/);
    expect(cut.code).toBe(3);
    expect((await work.run(["verify", `batch_${"0".repeat(32)}`])).code).toBe(2);
  });
});
