import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { requestBody, writeInput } from "./input.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "nerif-bench-input-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

it.each([
  { kind: "chat", lineBytes: 450 },
  { kind: "chat", lineBytes: 4_096 },
  { kind: "embedding", lineBytes: 300 },
] as const)(
  "an input of $kind lines has lines of exactly $lineBytes bytes with ids of their own",
  (options) => {
    const path = join(directory, "input.jsonl");
    writeInput(path, { lines: 200, ...options });
    const lines = readFileSync(path, "utf8").split("\n");
    expect(lines.pop()).toBe("");
    expect(new Set(lines.map((line) => Buffer.byteLength(line) + 1))).toEqual(new Set([options.lineBytes]));
    expect(new Set(lines.map((line) => JSON.parse(line).custom_id)).size).toBe(200);
    expect(new Set(lines).size).toBe(200);
  },
);

it("a body alone is that of the first line", () => {
  const path = join(directory, "input.jsonl");
  writeInput(path, { lines: 1, lineBytes: 450 });
  const { body } = JSON.parse(readFileSync(path, "utf8"));
  expect(JSON.parse(requestBody(450))).toEqual(body);
});
