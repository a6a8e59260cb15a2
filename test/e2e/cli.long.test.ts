import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openNerif } from "../../src/compose.ts";
import type { CliProcess } from "../support/cli-process.ts";
import { type CliWorkspace, createCliWorkspace, parseLines, requestFile } from "../support/cli-workspace.ts";
import { anUpload, aPart } from "../support/control-rows.ts";

const commands = ["run", "serve", "worker", "validate", "batches", "files", "prune", "simulate"];

describe("nerif", () => {
  it("prints its version and help for every command, with examples, to stdout", async () => {
    await using work = await createCliWorkspace();
    const version = await work.run(["--version"]);
    expect(version).toMatchObject({ code: 0, stderr: "" });
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const helps = await Promise.all(commands.map((command) => work.run([command, "--help"])));
    helps.forEach(({ code, stdout, stderr }, index) => {
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(new RegExp(`Usage: nerif ${commands[index]}`));
      expect(stdout).toMatch(new RegExp(`Examples?:[^]*nerif ${commands[index]}`));
    });
  });

  it("exits with 2 for usage that it does not understand, in one line", async () => {
    await using work = await createCliWorkspace();
    const results = await Promise.all(
      [["frob"], ["prune", "--frob"], ["batches", "get"]].map((args) => work.run(args)),
    );
    for (const { code, stderr } of results) {
      expect(code).toBe(2);
      expect(stderr).toMatch(/^nerif: Cannot understand the command line: .*\n$/);
    }
  });

  it("shows control characters instead of obeying them, and a stack only when debugging", async () => {
    await using work = await createCliWorkspace();
    const evil = "gone\u001b[2J\nnerif: all is well.jsonl";
    const [plain, debug] = await Promise.all([
      work.run(["run", evil]),
      work.run(["run", evil], { env: { NERIF_DEBUG: "1" } }),
    ]);
    expect(plain.stderr).toBe(
      "nerif: Cannot read gone\\x1b[2J\\x0anerif: all is well.jsonl: it does not exist\n",
    );
    expect(debug.stderr).toMatch(/\n\s+at /);
  });

  it("says on an old Node which one it needs", () => {
    const script = readFileSync(join(import.meta.dirname, "../../bin/nerif.js"), "utf8");
    expect(script).not.toMatch(/^import /m);
    const old = script
      .replace("process.versions.node", '"20.18.1"')
      .replace("process.versions.node", '"20.18.1"');
    const run = () =>
      execFileSync(process.execPath, ["--input-type=module", "-e", old], { encoding: "utf8", stdio: "pipe" });
    expect(run).toThrow(
      expect.objectContaining({
        status: 2,
        stderr: "nerif: Cannot run on Node 20.18.1: it needs Node 22.19 or newer\n",
      }),
    );
  });

  it("refuses a configuration file with an unknown key, naming both", async () => {
    await using work = await createCliWorkspace();
    work.write("nerif.config.json", `{"max_atempts": 3}`);
    const result = await work.run(["run", "in.jsonl"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain(`${work.path("nerif.config.json")} has the unknown key "max_atempts"`);
  });
});

describe("nerif validate", () => {
  it("exits with 0 for a good file, and counts its requests", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(3));
    const result = await work.run(["validate", "in.jsonl"]);
    expect(result).toMatchObject({ code: 0, stdout: "", stderr: "in.jsonl is good: 3 requests\n" });
    expect(work.has("data")).toBe(false);
  });

  it("reads stdin and prints JSON", async () => {
    await using work = await createCliWorkspace();
    const result = await work.run(["validate", "-", "--json"], { stdin: `${requestFile(1)}x\n` });
    expect(result.code).toBe(2);
    expect(parseLines(result.stdout)).toMatchObject([
      { event: "invalid_line", line: 2, code: "invalid_json_line" },
      { event: "validated", ok: false, errors: 1, exit_code: 2 },
    ]);
    expect(work.sent()).toEqual([]);
  });
});

describe("nerif batches and nerif files", () => {
  it("work on the data directory: create, wait, results, retry, delete", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    work.write("in.jsonl", withOneMissing(3));
    const created = await json(work, ["batches", "create", "in.jsonl", "--metadata", "team=search"]);
    expect(created).toMatchObject({ status: "validating", metadata: { team: "search" } });
    const waited = await work.run(["batches", "wait", created.id, "--json"]);
    expect(waited.code).toBe(3);
    const batch = parseLines(waited.stdout)[0];
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 3, completed: 2, failed: 1 },
    });

    const results = await work.run(["batches", "results", batch.id]);
    expect(parseLines(results.stdout).map((line) => line.custom_id)).toEqual(["r0", "r2", "r1"]);
    const downloaded = await work.run(["files", "download", batch.output_file_id, "-o", "out.jsonl"]);
    expect(downloaded).toMatchObject({ code: 0, stdout: "" });
    expect(work.lines("out.jsonl").map((line) => line.custom_id)).toEqual(["r0", "r2"]);
    const twice = await work.run(["files", "download", batch.output_file_id, "-o", "out.jsonl"]);
    expect(twice.code).toBe(2);

    const retried = await json(work, ["batches", "retry", batch.id]);
    expect(retried).toMatchObject({ status: "validating", metadata: { team: "search", retry_of: batch.id } });
    const cancelled = await json(work, ["batches", "cancel", retried.id]);
    expect(cancelled.status).toMatch(/^cancell/);

    const listed = await work.run(["batches", "list"]);
    expect(
      listed.stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[0]),
    ).toEqual([retried.id, batch.id]);
    expect((await work.run(["files", "delete", batch.output_file_id])).code).toBe(0);
    const gone = await work.run(["files", "get", batch.output_file_id]);
    expect(gone.code).toBe(2);
    expect(gone.stderr).toMatch(/No such File object/);
  });

  it("work against a server in the same way", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(3));
    const { server, url } = await serve(work);
    const at = { env: { NERIF_SERVER: url, NERIF_DATA_DIR: work.path("elsewhere") } };
    const file = await json(work, ["files", "upload", "in.jsonl"], at);
    expect(file).toMatchObject({ object: "file", purpose: "batch", filename: "in.jsonl" });
    const created = await json(work, ["batches", "create", file.id], at);
    const waited = await work.run(["batches", "wait", created.id], at);
    expect(waited.code).toBe(0);
    expect(waited.stdout).toMatch(/3\/3 done, 0 failed/);
    const results = await work.run(["batches", "results", created.id, "--follow"], at);
    expect(parseLines(results.stdout)).toHaveLength(3);
    const content = await work.run(["files", "download", file.id], at);
    expect(content.stdout).toBe(work.read("in.jsonl"));
    const unknown = await work.run(["batches", "get", "batch_nope"], at);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/^nerif: Cannot do that: the server answered 404: No batch found/);
    expect(work.has("elsewhere")).toBe(false);
    server.child.kill("SIGTERM");
    expect((await server.ended).code).toBe(0);
    const nobody = await work.run(["batches", "list"], at);
    expect(nobody.code).toBe(2);
    expect(nobody.stderr).toMatch(/Cannot reach the server http/);
  });
});

describe("nerif serve", () => {
  it("drains at SIGTERM, hands back the rest, and goes on at the next start", async () => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 100 } });
    work.write("in.jsonl", requestFile(60));
    const first = await serve(work, ["--concurrency", "4"]);
    const created = await json(work, ["batches", "create", "in.jsonl", "--server", first.url]);
    const followed = work.start(["batches", "results", created.id, "--follow", "--server", first.url]);
    await followed.printed(/(.+\n){4}/);
    first.server.child.kill("SIGTERM");
    expect((await first.server.ended).code).toBe(0);
    const second = await serve(work);
    const waited = await work.run(["batches", "wait", created.id, "--server", second.url]);
    expect(waited.code).toBe(0);
    expect(work.sent()).toHaveLength(60);
    second.server.child.kill("SIGKILL");
  });

  it("refuses a data directory that another process executes, naming it", async () => {
    await using work = await createCliWorkspace();
    const { server } = await serve(work);
    const second = await work.run(["serve", "--port", "0"]);
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(new RegExp(`nerif: Cannot .*process ${server.child.pid} \\(nerif serve, `));
  });

  it("refuses to listen beyond loopback unless told --insecure", async () => {
    await using work = await createCliWorkspace();
    const result = await work.run(["serve", "--host", "0.0.0.0", "--port", "0"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/Cannot listen on 0\.0\.0\.0: .*--insecure/);
  });

  it("runs beside nerif run in one data directory", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(5));
    await serve(work);
    expect((await work.run(["run", "in.jsonl"])).code).toBe(0);
  });
});

describe("nerif prune", () => {
  it("removes finished runs and old batches, and leaves results, inputs and young ones alone", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(2));
    work.write("young.jsonl", requestFile(2));
    await work.run(["run", "in.jsonl"]);
    await work.run(["run", "young.jsonl"]);
    age(work, work.path("in.output.jsonl"));
    const dry = await work.run(["prune", "--dry-run"]);
    expect(dry.stdout).toBe(`would remove run ${work.path("in.output.jsonl")}\n`);
    const pruned = await work.run(["prune", "--json"]);
    expect(parseLines(pruned.stdout)).toEqual([
      { event: "removed", kind: "run", id: work.path("in.output.jsonl") },
    ]);
    expect((await work.run(["prune"])).stdout).toBe("");
    expect(work.lines("in.output.jsonl")).toHaveLength(2);
    expect((await work.run(["run", "young.jsonl"])).stderr).toMatch(/finished already/);
    const unknown = await work.run(["run", "in.jsonl"]);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/it exists, and no run of this input wrote it/);
  });

  it("removes batches of the data directory with their results", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(2));
    const { id } = await json(work, ["batches", "create", "in.jsonl"]);
    await work.run(["batches", "wait", id]);
    expect((await work.run(["prune"])).stdout).toBe("");
    const pruned = await work.run(["prune", "--older-than", "0s"]);
    expect(pruned.stdout).toMatch(new RegExp(`removed batch ${id}\nremoved file file-`));
    expect((await work.run(["batches", "list"])).stdout).toBe("");
    expect((await work.run(["files", "list", "--json"])).stdout).toContain('"purpose":"batch"');
  });

  it("removes the parts of uploads that have expired", async () => {
    await using work = await createCliWorkspace();
    const dataDir = work.path("data");
    const upload = anUpload({ expires_at: 1_767_229_200 });
    const part = aPart(upload, { bytes: 1 });
    const opened = await openNerif({ dataDir, execute: false });
    const writer = await opened.fileStore.create(part.id);
    await writer.write([Buffer.from("x")]);
    await writer.commit();
    await opened.control.insertUpload(upload);
    await opened.control.insertPart(part, { now: upload.created_at, parts: 1, bytes: 1 });
    await opened.close();
    expect((await work.run(["prune", "--dry-run"])).stdout).toBe(`would remove upload ${upload.id}\n`);
    expect(readdirSync(join(dataDir, "files"))).toEqual([part.id]);
    expect((await work.run(["prune"])).stdout).toBe(`removed upload ${upload.id}\n`);
    expect(readdirSync(join(dataDir, "files"))).toEqual([]);
    expect((await work.run(["prune"])).stdout).toBe("");
  });
});

/** Starts a server on a free port. */
async function serve(work: CliWorkspace, args: string[] = []): Promise<{ server: CliProcess; url: string }> {
  const server = work.start(["serve", "--port", "0", "--json", ...args]);
  await server.printed(/"event":"listening"/);
  const { url } = JSON.parse(server.output().stdout.split("\n")[0] ?? "");
  return { server, url };
}

async function json(work: CliWorkspace, args: string[], options = {}) {
  const result = await work.run([...args, "--json"], options);
  expect(result.stderr).toBe("");
  expect(result.code).toBe(0);
  return JSON.parse(result.stdout);
}

/** Makes the run of this output look 31 days old. */
function age(work: CliWorkspace, output: string): void {
  const runs = work.path("data/runs");
  for (const name of readdirSync(runs).filter((entry) => /^[0-9a-f]{64}$/.test(entry))) {
    const path = join(runs, name, "run.json");
    const record = JSON.parse(readFileSync(path, "utf8"));
    if (record.output !== output) continue;
    record.finished.at -= 31 * 86_400_000;
    writeFileSync(path, JSON.stringify(record));
    utimesSync(path, 0, 0);
  }
}

function withOneMissing(count: number): string {
  return requestFile(count, (request, index) =>
    index === 1 ? { ...request, body: { ...request.body, model: "missing" } } : request,
  );
}
