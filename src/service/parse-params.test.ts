import { describe, expect, it } from "vitest";
import { z } from "zod";
import { NerifError } from "../batch/errors.ts";
import { batchListParams } from "./batch-list-params.ts";
import { batchParams } from "./batch-params.ts";
import { fileListParams } from "./file-list-params.ts";
import { parseParams } from "./parse-params.ts";

const sample = z.strictObject({
  name: z.string().min(2).max(5),
  size: z.int().min(1).max(10),
  kind: z.enum(["a", "b", "c"]),
  only: z.literal("x").optional(),
  either: z.enum(["on", "off"]).optional(),
  flag: z.boolean().optional(),
  url: z
    .string()
    .regex(/^https:/)
    .optional(),
  ids: z.array(z.string()).min(1).max(2).optional(),
  pairs: z.record(z.string(), z.string()).optional(),
  inner: z.strictObject({ deep: z.int() }).optional(),
});

const good = { name: "abc", size: 3, kind: "a" };

const batch = { input_file_id: "file-x", endpoint: "/v1/embeddings", completion_window: "24h" };

describe("parseParams", () => {
  it("gives back what fits, with defaults", () => {
    expect(parseParams(sample, good, "try")).toEqual(good);
    expect(parseParams(batchListParams, {}, "list")).toEqual({ limit: 20 });
    expect(parseParams(fileListParams, { limit: 0, after: undefined, order: null }, "list")).toEqual({
      limit: 0,
      order: "desc",
    });
  });

  it.each([
    [{ name: undefined }, "missing_required_parameter", "name", "Missing required parameter: 'name'."],
    [{ name: null }, "missing_required_parameter", "name", "Missing required parameter: 'name'."],
    [{ kind: undefined }, "missing_required_parameter", "kind", "Missing required parameter: 'kind'."],
    [{ inner: {} }, "missing_required_parameter", "inner.deep", "Missing required parameter: 'inner.deep'."],
    [{ name: 7 }, "invalid_type", "name", typeText("name", "a string", "an integer")],
    [{ name: ["x"] }, "invalid_type", "name", typeText("name", "a string", "an array")],
    [{ size: "3" }, "invalid_type", "size", typeText("size", "an integer", "a string")],
    [{ size: 1.5 }, "invalid_type", "size", typeText("size", "an integer", "a decimal number")],
    [{ size: {} }, "invalid_type", "size", typeText("size", "an integer", "an object")],
    [{ flag: "true" }, "invalid_type", "flag", typeText("flag", "a boolean", "a string")],
    [{ ids: {} }, "invalid_type", "ids", typeText("ids", "an array", "an object")],
    [{ ids: [true] }, "invalid_type", "ids[0]", typeText("ids[0]", "a string", "a boolean")],
    [{ ids: [null] }, "invalid_type", "ids[0]", typeText("ids[0]", "a string", "null")],
    [{ pairs: [] }, "invalid_type", "pairs", typeText("pairs", "an object", "an array")],
    [{ pairs: { k: 1 } }, "invalid_type", "pairs.k", typeText("pairs.k", "a string", "an integer")],
    [{ inner: "x" }, "invalid_type", "inner", typeText("inner", "an object", "a string")],
    [{ kind: 4 }, "invalid_type", "kind", typeText("kind", "a string", "an integer")],
    [{ kind: "d" }, "invalid_value", "kind", "Invalid value: 'd'. Supported values are: 'a', 'b', and 'c'."],
    [{ either: "" }, "invalid_value", "either", "Invalid value: ''. Supported values are: 'on' and 'off'."],
    [{ only: "y" }, "invalid_value", "only", "Invalid value: 'y'. Supported values are: 'x'."],
    [{ url: "http:" }, "invalid_value", "url", /^Invalid value for 'url': ./],
    [{ status: "x" }, "unknown_parameter", "status", "Unknown parameter: 'status'."],
    [{ inner: { deep: 1, x: 1 } }, "unknown_parameter", "inner.x", "Unknown parameter: 'inner.x'."],
    [
      { ["x".repeat(100)]: 1 },
      "unknown_parameter",
      "x".repeat(80),
      `Unknown parameter: '${"x".repeat(80)}'.`,
    ],
    [
      { name: "abcdef" },
      "string_above_max_length",
      "name",
      "Invalid 'name': string too long. Expected a string with maximum length 5, but got a string with length 6 instead.",
    ],
    [
      { name: "a" },
      "string_below_min_length",
      "name",
      "Invalid 'name': string too short. Expected a string with minimum length 2, but got a string with length 1 instead.",
    ],
    [
      { ids: [] },
      "empty_array",
      "ids",
      "Invalid 'ids': array too short. Expected an array with minimum length 1, but got an array with length 0 instead.",
    ],
    [
      { ids: ["a", "b", "c"] },
      "array_above_max_length",
      "ids",
      "Invalid 'ids': array too long. Expected an array with maximum length 2, but got an array with length 3 instead.",
    ],
    [
      { size: 11 },
      "integer_above_max_value",
      "size",
      "Invalid 'size': integer above maximum value. Expected a value <= 10, but got 11 instead.",
    ],
    [
      { size: 0 },
      "integer_below_min_value",
      "size",
      "Invalid 'size': integer below minimum value. Expected a value >= 1, but got 0 instead.",
    ],
    [{ size: 1e30 }, "integer_above_max_value", "size", /Expected a value <= 10, but got 1e\+30 instead\.$/],
    [{ size: -1e30 }, "integer_below_min_value", "size", /Expected a value >= 1, but got -1e\+30 instead\.$/],
    [{ name: "\u{1f600}".repeat(6) }, "string_above_max_length", "name", /but got a string with length 6 /],
  ])("refuses %j with %s", (wrong, code, param, message) => {
    expect(refusalOf(sample, { ...good, ...wrong })).toEqual({
      code,
      param,
      message: message instanceof RegExp ? expect.stringMatching(message) : message,
    });
  });

  it.each([
    ["x", "Cannot try: expected an object, but got a string"],
    [[], "Cannot try: expected an object, but got an array"],
    [null, "Cannot try: expected an object, but got null"],
    [undefined, "Cannot try: expected an object, but got nothing"],
  ])("refuses %j in place of parameters", (value, message) => {
    expect(refusalOf(sample, value)).toEqual({ code: "invalid_type", param: null, message });
  });

  it.each([
    [
      { endpoint: "/v1/x" },
      "invalid_value",
      "endpoint",
      "Invalid value: '/v1/x'. Supported values are: '/v1/chat/completions', '/v1/embeddings', '/v1/completions', '/v1/responses', and '/v1/moderations'.",
    ],
    [
      { metadata: { tags: [] } },
      "invalid_type",
      "metadata.tags",
      "Invalid type for 'metadata.tags': expected a string, but got an array instead.",
    ],
    [{ metadata: [] }, "invalid_type", "metadata", typeText("metadata", "an object", "an array")],
    [{ metadata: { a: "x".repeat(513) } }, "string_above_max_length", "metadata.a", /512.*513 instead\.$/],
    [{ metadata: { ["k".repeat(65)]: "" } }, "string_above_max_length", "metadata", /64.*65 instead\.$/],
    [
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ""])) },
      "object_above_max_properties",
      "metadata",
      /at most 16 .* 17 properties instead\.$/,
    ],
    [
      { output_expires_after: { anchor: "now", seconds: 3_600 } },
      "invalid_value",
      "output_expires_after.anchor",
      "Invalid value: 'now'. Supported values are: 'created_at'.",
    ],
    [
      { output_expires_after: { anchor: "created_at", seconds: 3_599 } },
      "integer_below_min_value",
      "output_expires_after.seconds",
      /Expected a value >= 3600, but got 3599 instead\.$/,
    ],
    [
      { output_expires_after: { anchor: "created_at" } },
      "missing_required_parameter",
      "output_expires_after.seconds",
      "Missing required parameter: 'output_expires_after.seconds'.",
    ],
  ])("refuses a batch with %j as OpenAI does", (wrong, code, param, message) => {
    expect(refusalOf(batchParams, { ...batch, ...wrong })).toEqual({
      code,
      param,
      message: message instanceof RegExp ? expect.stringMatching(message) : message,
    });
  });

  it("keeps metadata whose key is also a name of every object, and counts characters, not units", () => {
    const metadata = JSON.parse(`{"__proto__": "x", "constructor": "y", "emoji": "${"😀".repeat(512)}"}`);
    const checked = parseParams(batchParams, { ...batch, metadata }, "create a batch");
    expect(Object.entries(checked.metadata ?? {})).toEqual(Object.entries(metadata));
    expect(Object.getPrototypeOf(checked.metadata)).toBe(Object.prototype);
  });

  it.each([
    [fileListParams, 10_000],
    [batchListParams, 100],
  ])("bounds the limit of a list by 0 and the largest page", (schema, most) => {
    expect(refusalOf(schema, { limit: most + 1 })).toEqual({
      code: "integer_above_max_value",
      param: "limit",
      message: `Invalid 'limit': integer above maximum value. Expected a value <= ${most}, but got ${most + 1} instead.`,
    });
    expect(refusalOf(schema, { limit: -1 })).toEqual({
      code: "integer_below_min_value",
      param: "limit",
      message: "Invalid 'limit': integer below minimum value. Expected a value >= 0, but got -1 instead.",
    });
  });
});

function typeText(param: string, expected: string, got: string): string {
  return `Invalid type for '${param}': expected ${expected}, but got ${got} instead.`;
}

function refusalOf(
  schema: z.ZodType,
  value: unknown,
): { code: string; param: string | null; message: string } {
  try {
    parseParams(schema, value, "try");
  } catch (error) {
    if (!(error instanceof NerifError)) throw error;
    const { code, param, message } = error;
    return { code, param, message };
  }
  throw new Error("It was not refused");
}
