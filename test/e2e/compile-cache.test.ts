import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCli } from "../support/cli-process.ts";

const onPosix = test.skipIf(process.platform === "win32");

onPosix("the command keeps what was compiled for its user alone", async () => {
  const cache = join(newHome(), "new", "cache");
  await version({ XDG_CACHE_HOME: cache });
  const directory = join(cache, "nerif");
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(filesBelow(directory)).toBeGreaterThan(0);
});

onPosix.each([0o777, 0o770])("the command keeps nothing where others may write (%o)", async (mode) => {
  const cache = newHome();
  const directory = join(cache, "nerif");
  mkdirSync(directory);
  chmodSync(directory, mode);
  await version({ XDG_CACHE_HOME: cache });
  expect(filesBelow(directory)).toBe(0);
  chmodSync(directory, 0o700);
  chmodSync(cache, mode);
  await version({ XDG_CACHE_HOME: cache });
  expect(filesBelow(directory)).toBe(0);
});

onPosix("the command starts without a place for what was compiled", async () => {
  await version({ XDG_CACHE_HOME: "/dev/null" });
  const cache = newHome();
  await version({ XDG_CACHE_HOME: cache, NODE_DISABLE_COMPILE_CACHE: "1" });
  expect(filesBelow(cache)).toBe(0);
});

test("the command keeps what was compiled where Node is told to", async () => {
  const elsewhere = join(newHome(), "elsewhere");
  const cache = newHome();
  await version({ XDG_CACHE_HOME: cache, NODE_COMPILE_CACHE: elsewhere });
  expect(filesBelow(elsewhere)).toBeGreaterThan(0);
  expect(existsSync(join(cache, "nerif"))).toBe(false);
});

async function version(env: Record<string, string>): Promise<void> {
  const result = await runCli(["--version"], { cwd: newHome(), env: { NODE_COMPILE_CACHE: "", ...env } });
  expect(result).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
}

function newHome(): string {
  const directory = mkdtempSync(join(tmpdir(), "nerif-cache-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

function filesBelow(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .length;
}
