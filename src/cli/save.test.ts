import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { saveTo } from "./save.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "nerif-save-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function* content(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("{}\n");
}

describe("saveTo()", () => {
  it("writes a file, and replaces it only when told to", async () => {
    const path = join(directory, "out.jsonl");
    await saveTo(path, content(), { force: false });
    expect(readFileSync(path, "utf8")).toBe("{}\n");
    await expect(saveTo(path, content(), { force: false })).rejects.toMatchObject({ code: "output_exists" });
    await saveTo(path, content(), { force: true });
  });

  it("makes no directory, and takes none for a file", async () => {
    const missing = join(directory, "typo", "out.jsonl");
    await expect(saveTo(missing, content(), { force: false })).rejects.toThrow(
      `Cannot write the content to ${missing}: the directory ${join(directory, "typo")}: it does not exist`,
    );
    expect(existsSync(join(directory, "typo"))).toBe(false);
    await expect(saveTo(directory, content(), { force: true })).rejects.toThrow(/: it is a directory$/);
  });
});
