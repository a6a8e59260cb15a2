import { expect, it } from "vitest";
import { misfits } from "./compare-schemas.ts";
import type { JsonSchema } from "./openapi.ts";

const text = { type: "string" };

function object(properties: Record<string, JsonSchema>, further: JsonSchema = {}): JsonSchema {
  return { type: "object", properties, ...further };
}

it.each<[string, JsonSchema, JsonSchema, string[]]>([
  ["the same type", text, text, []],
  ["another type", text, { type: "integer" }, ["x may be integer"]],
  ["an integer for a number", { type: "number" }, { type: "integer" }, []],
  ["a number for an integer", { type: "integer" }, { type: "number" }, ["x may be number"]],
  ["anything where everything goes", {}, { type: ["string", "null"] }, []],
  ["one type more", { anyOf: [text, { type: "integer" }] }, { type: ["string", "null"] }, ["x may be null"]],
  ["null by the old keyword", text, { allOf: [text, { nullable: true }] }, ["x may be null"]],
  ["a value more", { enum: ["a"], ...text }, { enum: ["a", "b"], ...text }, ["x may be b"]],
  ["a value fewer", { enum: ["a", "b"], ...text }, { const: "a", ...text }, []],
  ["any value for a few", { enum: ["a"], ...text }, text, ["x may be more than a"]],
  ["another default", { default: "a", ...text }, { default: "b", ...text }, ["x has the default b, not a"]],
  ["a wider bound", { minLength: 2, ...text }, { minLength: 1, ...text }, ["x has the minLength 1, not 2"]],
  ["a narrower bound", { minLength: 2, maxLength: 5, ...text }, { minLength: 3, maxLength: 4, ...text }, []],
  [
    "another item",
    { type: "array", items: text },
    { type: "array", items: { type: "boolean" } },
    ["x[] may be boolean"],
  ],
  [
    "a field less that is required",
    object({ a: text }, { required: ["a"] }),
    object({}),
    ["x.a may be absent"],
  ],
  ["a field that may be absent, required", object({ a: text }), object({ a: text }, { required: ["a"] }), []],
  ["a field more where others may be", object({}), object({ a: text }), []],
  [
    "a field more where none may be",
    object({}, { additionalProperties: false }),
    object({ a: text }),
    ["x.a is unknown"],
  ],
  ["null for what may be absent", object({ a: text }), object({ a: { type: ["string", "null"] } }), []],
  [
    "null for what is required",
    object({ a: text }, { required: ["a"] }),
    object({ a: { type: ["string", "null"] } }, { required: ["a"] }),
    ["x.a may be null"],
  ],
  [
    "another type of further fields",
    object({}, { additionalProperties: text }),
    object({}, { additionalProperties: { type: "integer" } }),
    ["x{} may be integer"],
  ],
])("misfits tells of %s", (_, wide, narrow, found) => {
  expect(misfits(wide, narrow, "x").map(({ at, what }) => `${at} ${what}`)).toEqual(found);
});
