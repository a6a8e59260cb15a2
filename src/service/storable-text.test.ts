import { expect, it } from "vitest";
import { checkFileParams } from "./file-params.ts";
import { checkKeyParams } from "./key-params.ts";
import { parseParams } from "./parse-params.ts";
import { webhookEndpointParams } from "./webhook-params.ts";

const bad = ["a\0b.jsonl", "a\ud83d.jsonl", "\ude00.jsonl"];

it.each(bad)("a name that no database keeps is refused: %j", (name) => {
  const refusal = expect.objectContaining({
    code: "invalid_value",
    message: expect.stringMatching(/NUL character or half of a surrogate pair/),
  });
  expect(() => checkFileParams({ filename: name, purpose: "batch" })).toThrow(refusal);
  expect(() => checkKeyParams({ name })).toThrow(refusal);
  const endpoint = { name, url: "https://example.com", event_types: ["batch.completed"] };
  expect(() => parseParams(webhookEndpointParams, endpoint, "create a webhook endpoint")).toThrow(refusal);
});

it("a name in any script, with emoji, is taken", () => {
  expect(() => checkFileParams({ filename: "日本語 😀 é.jsonl", purpose: "batch" })).not.toThrow();
});
