import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fingerprint } from "./run-input.ts";
import { createInputCheck } from "./run-input-check.ts";

let directory: string;
let path: string;
let at = 0;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "nerif-check-"));
  path = join(directory, "in.jsonl");
  writeFileSync(path, "{}\n");
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Looks at each call, however soon. */
async function checkOf(): Promise<() => Promise<unknown>> {
  const input = { path, ...(await fingerprint(path)) };
  const check = createInputCheck({ input, limit: null }, () => {
    at += 1_000;
    return at;
  });
  return async () => (await check())?.code ?? null;
}

describe("createInputCheck()", () => {
  it("tells an input that was removed, and one with other bytes", async () => {
    const check = await checkOf();
    expect(await check()).toBeNull();
    writeFileSync(path, "{}\n{}\n");
    expect(await check()).toBe("input_changed");
    unlinkSync(path);
    expect(await check()).toBe("input_changed");
  });

  it("looks again when the input cannot be looked at for a while", async () => {
    const check = await checkOf();
    renameSync(path, join(directory, "aside"));
    symlinkSync(path, path);
    expect(await check()).toBeNull();
    unlinkSync(path);
    renameSync(join(directory, "aside"), path);
    expect(await check()).toBeNull();
    writeFileSync(path, "[]\n");
    expect(await check()).toBe("input_changed");
  });
});
