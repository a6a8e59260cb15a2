import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { firstEndpoint } from "./run-input.ts";

const line = '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "nerif-input-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function endpointOfFile(content: string, maxLineBytes = 1_000): Promise<string> {
  const path = join(directory, "in.jsonl");
  writeFileSync(path, content);
  return firstEndpoint(path, maxLineBytes);
}

describe("firstEndpoint()", () => {
  it("is that of the first line, behind more blank ones than a line may have bytes", async () => {
    expect(await endpointOfFile(`\ufeff\n${" \t\r\n".repeat(50_000)}${line}\nnone`)).toBe("/v1/embeddings");
    expect(await endpointOfFile(line)).toBe("/v1/embeddings");
  });

  it("is the usual one where the first line is bad, too long or missing", async () => {
    const usual = "/v1/chat/completions";
    expect(await endpointOfFile(`none\n${line}`)).toBe(usual);
    expect(await endpointOfFile(`${" ".repeat(200_000)}x${line}\n`, 10)).toBe(usual);
    expect(await endpointOfFile("\ufeff \n\n")).toBe(usual);
  });
});
