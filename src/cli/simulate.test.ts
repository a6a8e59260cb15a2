import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Command } from "commander";
import { expect, onTestFinished, test } from "vitest";
import { simulateCommand } from "./simulate.ts";

const script = `
  import { simulateCommand } from ${JSON.stringify(new URL("simulate.ts", import.meta.url).href)};
  import { Command } from "commander";
  const command = new Command();
  simulateCommand(command);
  await command.parseAsync(process.argv.slice(1), { from: "user" });`;

function run(args: string[], env: Record<string, string> = {}) {
  const flags = ["--input-type=module", "--eval", script, "--", "--port", "0", ...args];
  const child = spawn(process.execPath, flags, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, stdout: linesOf(child.stdout), stderr: linesOf(child.stderr) };
}

function linesOf(stream: NodeJS.ReadableStream): AsyncIterator<string> {
  return createInterface(stream)[Symbol.asyncIterator]();
}

test("simulate says where it listens, and after a signal what it served", async () => {
  const { child, stderr } = run(["--latency", "1ms", "--models", "m, n"]);
  const [, url] = /at (http:\/\/127\.0\.0\.1:\d+\/v1)$/.exec((await stderr.next()).value) ?? [];
  const body = JSON.stringify({ model: "n", input: "x" });
  expect((await fetch(`${url}/embeddings`, { method: "POST", body })).status).toBe(200);
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
  child.kill("SIGINT");
  expect((await stderr.next()).value).toBe("Served 2 requests: 1 x 200, 1 x 404");
  expect((await once(child, "exit"))[0]).toBe(0);
});

test("simulate speaks JSON when told to, and takes options from the environment", async () => {
  const { child, stdout } = run(["--json"], { NERIF_SIMULATE_ERROR_RATE: "100%" });
  const { event, url, port } = JSON.parse((await stdout.next()).value);
  expect({ event, url }).toEqual({ event: "listening", url: `http://127.0.0.1:${port}/v1` });
  const body = JSON.stringify({ model: "m", input: "x" });
  expect((await fetch(`${url}/embeddings`, { method: "POST", body })).status).toBe(500);
  child.kill("SIGTERM");
  expect(JSON.parse((await stdout.next()).value)).toMatchObject({
    event: "served",
    requests: 1,
    answers: { 500: 1 },
    unanswered: 0,
  });
  expect((await once(child, "exit"))[0]).toBe(0);
});

test.each([
  [["--latency", "soon"], "as a duration"],
  [["--error-rate", "150%"], "from 0 to 1"],
  [["--port", "70000"], "from 0 to 65535"],
  [["--capacity", "0"], "from 1 to"],
  [["--overload", "panic"], "Allowed choices are reject, queue"],
  [["--api-key-env", "NERIF_NO_SUCH_KEY"], "NERIF_NO_SUCH_KEY is not set"],
])("simulate refuses %j", async (args, reason) => {
  const command = new Command().exitOverride().configureOutput({ outputError: () => {} });
  simulateCommand(command);
  await expect(command.parseAsync(args, { from: "user" })).rejects.toThrow(reason);
});
