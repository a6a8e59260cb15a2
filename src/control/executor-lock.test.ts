import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createExecutorLock } from "./executor-lock.ts";

// What two processes and kill -9 make of it is tested in test/e2e/data-directory.test.ts.

let directory: string;

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "nerif-lock-")), "data");
});

afterEach(() => rm(join(directory, ".."), { recursive: true }));

test("the lock goes to one of two that ask in one process, and names its holder to both", async () => {
  const first = createExecutorLock({ directory, command: "nerif serve" });
  const second = createExecutorLock({ directory, command: "nerif worker" });
  expect(await first.holder()).toBeNull();
  expect(await first.acquire()).toBe(true);
  expect(await second.acquire()).toBe(false);
  const holder = { pid: process.pid, command: "nerif serve", since: expect.stringMatching(/^\d{4}-.*Z$/) };
  expect(await first.holder()).toEqual(holder);
  expect(await second.holder()).toEqual(holder);

  await second.release();
  expect(await second.acquire()).toBe(false);
  await first.release();
  expect(await second.holder()).toBeNull();
  expect(await second.acquire()).toBe(true);
  await second.release();
});

test.skipIf(process.platform === "win32")("the lock and its note are for their owner alone", async () => {
  const lock = createExecutorLock({ directory, command: "nerif serve" });
  await lock.acquire();
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  // By name, which opens nothing: a closed descriptor would free the lock.
  expect((await stat(join(directory, "executor.lock"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, "executor.json"))).mode & 0o777).toBe(0o600);
  await lock.release();
});

test("a release leaves the note of another holder", async () => {
  const lock = createExecutorLock({ directory, command: "nerif serve" });
  await lock.acquire();
  const foreign = JSON.stringify({ pid: 1, command: "other", since: "2026-01-01T00:00:00.000Z" });
  await writeFile(join(directory, "executor.json"), foreign);
  await lock.release();
  expect(await readFile(join(directory, "executor.json"), "utf8")).toBe(foreign);
});

test("a note tells nothing when its process has ended or it cannot be read", async () => {
  const lock = createExecutorLock({ directory, command: "nerif serve" });
  await lock.acquire();
  await lock.release();
  const ended = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await once(ended, "exit");
  for (const note of [JSON.stringify({ pid: ended.pid, command: "c", since: "s" }), "{", "null", "{}"]) {
    await writeFile(join(directory, "executor.json"), note);
    expect(await lock.holder()).toBeNull();
  }
});
