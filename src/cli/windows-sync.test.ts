import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { type RunRecord, writeRunRecord } from "./run-record.ts";
import { spool } from "./spool.ts";

const record: RunRecord = {
  version: 1,
  batch_id: "batch_0",
  file_id: "file-0",
  input: { path: null, bytes: 2, modified: "", sha256: "aa" },
  output: "/out.jsonl",
  errors: null,
  limit: null,
  strict: false,
  dedupe: false,
  group_by_prefix: false,
  overwrite: false,
  created_at: 5,
  elapsed_ms: 7,
  finished: null,
};

/** A directory on a system that cannot sync one. */
async function windowsDirectory(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "nerif-windows-"));
  const handle = await open(directory, "r");
  const methods = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { sync } = methods;
  vi.spyOn(methods, "sync").mockImplementation(async function (this: FileHandle) {
    if ((await this.stat()).isDirectory()) throw Object.assign(new Error("EPERM"), { code: "EPERM" });
    await sync.call(this);
  });
  const platform = vi.spyOn(process, "platform", "get").mockReturnValue("win32");
  onTestFinished(() => {
    platform.mockRestore();
    vi.restoreAllMocks();
    rmSync(directory, { recursive: true });
  });
  return directory;
}

test("the record of a run is kept on Windows, which cannot sync a directory", async () => {
  const store = await windowsDirectory();
  await writeRunRecord(store, record);
  expect(JSON.parse(readFileSync(join(store, "run.json"), "utf8"))).toEqual(record);
});

test("a copied input gets its final place on Windows, which cannot sync a directory", async () => {
  const directory = await windowsDirectory();
  const copy = await spool(new Blob(["{}\n"]).stream(), { directory });
  await copy.moveTo(join(directory, "input.jsonl"));
  expect(readFileSync(join(directory, "input.jsonl"), "utf8")).toBe("{}\n");
});
