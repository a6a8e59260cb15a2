import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { firstLines, spool } from "./spool.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "nerif-spool-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function* chunksOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("spool()", () => {
  it("copies a stream, with its size and sum", async () => {
    const copy = await spool(chunksOf("a\nb\n", 3), { directory });
    expect(copy).toMatchObject({ bytes: 4, sha256: createHash("sha256").update("a\nb\n").digest("hex") });
    await copy.moveTo(join(directory, "input.jsonl"));
    await copy.discard();
    expect(readdirSync(directory)).toEqual(["input.jsonl"]);
    expect(readFileSync(join(directory, "input.jsonl"), "utf8")).toBe("a\nb\n");
  });

  it("leaves nothing behind when the stream breaks", async () => {
    async function* broken() {
      yield Buffer.from("a");
      throw new Error("the pipe broke");
    }
    await expect(spool(broken(), { directory })).rejects.toThrow(/Cannot copy the input/);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe("firstLines()", () => {
  it("ends behind the last line asked for, whatever the chunks and blank lines", async () => {
    const line = fc.constantFrom("", " ", "\t\r", "\r", "{}", " {} ", "ä");
    await fc.assert(
      fc.asyncProperty(
        fc.array(line),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 9 }),
        async (lines, limit, size) => {
          const text = lines.join("\n");
          let found = "";
          for await (const chunk of firstLines(chunksOf(text, size), limit))
            found += Buffer.from(chunk).toString("latin1");
          expect(found).toBe(Buffer.from(slowFirstLines(text, limit)).toString("latin1"));
        },
      ),
    );
  });
});

function slowFirstLines(text: string, limit: number): string {
  const lines = text.split(/(?<=\n)/);
  let kept = "";
  let count = 0;
  for (const line of lines) {
    if (count === limit) break;
    kept += line;
    if (line.trim() !== "") count += 1;
  }
  return kept;
}
