import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { expect, it, onTestFinished } from "vitest";
import { createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

const bin = join(import.meta.dirname, "../../bin/nerif.js");
const hasFullDisk = existsSync("/dev/full");

it.runIf(hasFullDisk).each([["--version"], ["help run"]])(
  "nerif %s says that it could not write to a full disk",
  (args) => {
    const command = `exec "$0" "$1" ${args} >/dev/full`;
    const { status, stderr } = spawnSync("sh", ["-c", command, process.execPath, bin], { encoding: "utf8" });
    expect([status, stderr]).toEqual([1, "nerif: Cannot write to stdout: the disk is full\n"]);
  },
);

it("nerif run goes on to its end although nobody reads stderr any more", async () => {
  await using work = await createCliWorkspace();
  work.write("in.jsonl", requestFile(20));
  const run = work.start(["run", "in.jsonl"]);
  run.child.stderr?.destroy();
  expect(await run.ended).toMatchObject({ code: 0, signal: null });
  expect(work.lines("in.output.jsonl")).toHaveLength(20);
});

it.runIf(hasFullDisk)("nerif serve answers and drains although its log cannot be written", async () => {
  await using work = await createCliWorkspace();
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  const args = ["serve", "--port", "0", "--json", "--log-level", "trace", "--upstream", work.url];
  const server = spawn(process.execPath, [bin, ...args, "--data-dir", work.path("served")], {
    cwd: work.directory,
    stdio: ["ignore", "pipe", full],
  });
  onTestFinished(() => void server.kill("SIGKILL"));
  const ended = once(server, "exit");
  const [listening] = await once(server.stdout as Readable, "data");
  const { url } = JSON.parse(String(listening)) as { url: string };
  expect((await fetch(`${url}/v1/batches`)).status).toBe(200);
  server.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});
