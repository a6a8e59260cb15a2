import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunRecord, readRunRecord, writeRunRecord } from "./run-record.ts";
import { claimPlaces, makeRunsDirectory, removeStore, resultPlaces, storeDirectory } from "./run-store.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "nerif-record-"));
});
afterEach(() => {
  rmSync(dataDir, { recursive: true });
});

const record: RunRecord = {
  version: 1,
  batch_id: "batch_0",
  file_id: "file-0",
  input: { path: null, bytes: 10, modified: "", sha256: "aa" },
  output: "/out.jsonl",
  errors: "/errors.jsonl",
  limit: 3,
  strict: true,
  dedupe: true,
  group_by_prefix: false,
  overwrite: false,
  created_at: 5,
  elapsed_ms: 7,
  finished: null,
};

describe("writeRunRecord()", () => {
  it("is read back as it was, by nobody else", async () => {
    const store = join(dataDir, "runs", "x");
    expect(await readRunRecord(store)).toBeNull();
    await writeRunRecord(store, record);
    expect(await readRunRecord(store)).toEqual(record);
    expect(readdirSync(store)).toEqual(["run.json"]);
    expect(statSync(join(store, "run.json")).mode & 0o077).toBe(0);
  });

  it.each(["", "{", "{}", "null", '{"version":2}'])("is refused when it is %j", async (text) => {
    writeFileSync(join(dataDir, "run.json"), text);
    await expect(readRunRecord(dataDir)).rejects.toThrow(/run\.json is damaged; --force starts anew/);
  });
});

describe("storeDirectory()", () => {
  const places = { input: "/in.jsonl", output: "/out.jsonl", errors: null };

  it("follows from the output alone", () => {
    expect(storeDirectory(dataDir, places, null)).toBe(
      storeDirectory(dataDir, { ...places, input: "/b" }, null),
    );
    expect(storeDirectory(dataDir, places, null)).toMatch(/\/runs\/[0-9a-f]{64}$/);
    expect(storeDirectory(dataDir, places, null)).not.toBe(
      storeDirectory(dataDir, { ...places, output: "/o" }, null),
    );
  });

  it("follows from the input where the output is stdout", () => {
    const toStdout = { ...places, output: null };
    const piped = { ...toStdout, input: null };
    const names = [
      storeDirectory(dataDir, toStdout, null),
      storeDirectory(dataDir, { ...toStdout, input: "/b" }, null),
      storeDirectory(dataDir, piped, "aa"),
      storeDirectory(dataDir, piped, "bb"),
    ];
    expect(new Set(names).size).toBe(4);
  });
});

describe("resultPlaces()", () => {
  it("puts what goes to stdout into the store, failed lines among the results unless they have a file", () => {
    const store = "/store";
    expect(resultPlaces(store, { output: null, errors: null })).toEqual({
      output: "/store/output.jsonl",
      error: null,
    });
    expect(resultPlaces(store, { output: null, errors: "/e" })).toEqual({
      output: "/store/output.jsonl",
      error: "/e",
    });
    expect(resultPlaces(store, { output: "/o", errors: null })).toEqual({
      output: "/o",
      error: "/store/errors.jsonl",
    });
  });
});

describe("claimPlaces()", () => {
  it("keeps two unfinished runs from writing the same failed lines", async () => {
    await makeRunsDirectory(dataDir);
    const [one, two] = [join(dataDir, "runs", "one"), join(dataDir, "runs", "two")];
    await writeRunRecord(one, record);
    await claimPlaces(dataDir, one, { output: "/out.jsonl", errors: "/errors.jsonl" });
    await claimPlaces(dataDir, one, { output: "/out.jsonl", errors: "/errors.jsonl" });
    await expect(
      claimPlaces(dataDir, two, { output: "/two.jsonl", errors: "/errors.jsonl" }),
    ).rejects.toThrow(/the run with the output \/out\.jsonl does/);
    await removeStore(dataDir, one, "/errors.jsonl");
    await claimPlaces(dataDir, two, { output: "/two.jsonl", errors: "/errors.jsonl" });
  });
});
