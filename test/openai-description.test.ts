import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createDocument } from "../src/http/openapi/document.ts";
import { type Misfit, misfits } from "./support/compare-schemas.ts";
import type { ApiDocument, ApiOperation, JsonSchema } from "./support/openapi.ts";

interface OpenAIFacts {
  source: { licence: string };
  operations: Record<string, OpenAIOperation>;
  schemas: Record<string, JsonSchema>;
  error: JsonSchema;
}

interface OpenAIOperation {
  parameters: { name: string; in: string; required: boolean; schema: JsonSchema }[];
  body: { type: string; schema: JsonSchema } | null;
  answer: JsonSchema | null;
}

/** Where we differ, and why. Whatever else differs is a mistake, and so is an entry that nothing differs by. */
const deliberate: readonly (readonly [RegExp, string])[] = [
  [
    /^POST \/batches body\.endpoint may be \/v1\/(images\/\w+|videos)$/,
    "Nerif runs no images and no videos.",
  ],
  [
    /\.purpose may be evals$/,
    "OpenAI accepts it at creation too, and leaves it out of what a file may have.",
  ],
  [
    /^GET \/files answer\.(first|last)_id may be null$/,
    "An empty page has no ids; newer lists of OpenAI say so.",
  ],
  [
    /^GET \/files\/\{file_id\}\/content answer is not JSON$/,
    "The bytes of a file are what OpenAI sends too.",
  ],
  [
    /^POST \/webhook_endpoints.* body\.event_types?(\[\])? may be (?!batch\.)/,
    "A receiver is told of batches; there is nothing else here to be told of.",
  ],
];

const ours = createDocument() as unknown as ApiDocument;
const published = readFacts("openai-description.json");
/** Taken down by hand: what is published does not have these routes yet. */
const webhooks = readFacts("openai-webhook-endpoints.json");

describe("the description that OpenAI publishes", () => {
  it("differs from ours only on purpose", () => {
    const found = [...differences(published), ...differences(webhooks)];
    expect(found.filter((one) => !deliberate.some(([pattern]) => pattern.test(one)))).toEqual([]);
    for (const [pattern] of deliberate) expect(found).toContainEqual(expect.stringMatching(pattern));
  });

  it("has the same refusals as ours", () => {
    const theirs = inlined(published.error, published.schemas);
    expect(theirs.properties).toHaveProperty("error");
    expect(misfits(theirs, ownInline({ $ref: "Error" }), "error")).toEqual([]);
  });

  it("is compared by facts that can fail", () => {
    const batch = inlined<JsonSchema>({ $ref: "Batch" }, published.schemas);
    const { id: _, ...properties } = ownInline({ $ref: "Batch" }).properties ?? {};
    const required = Object.keys(properties);
    const changed = { ...properties, status: { type: "string" }, created_at: { type: "string" } };
    expect(misfits(batch, { type: "object", properties: changed, required }, "batch")).toEqual([
      { at: "batch.id", what: "may be absent" },
      { at: "batch.status", what: expect.stringMatching(/^may be more than validating, /) },
      { at: "batch.created_at", what: "may be string" },
    ]);
  });
});

function readFacts(name: string): OpenAIFacts {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8")) as OpenAIFacts;
}

function differences({ operations, schemas }: OpenAIFacts): string[] {
  const theirs = (schema: JsonSchema) => inlined(schema, schemas);
  return Object.entries(operations).flatMap(([route, operation]) => {
    const own = ownOperation(route);
    if (own === undefined) return [`${route} is missing`];
    return [
      ...parameterMisfits(own, operation, theirs),
      ...bodyMisfits(own, operation, theirs),
      ...answerMisfits(own, operation, theirs),
    ].map(({ at, what }) => `${route} ${at} ${what}`);
  });
}

function ownOperation(route: string): ApiOperation | undefined {
  const [method = "", path = ""] = route.split(" ");
  const unnamed = (text: string) => text.replace(/\{\w+\}/g, "{}");
  const found = Object.keys(ours.paths).find((own) => unnamed(own) === unnamed(`/v1${path}`));
  return ours.paths[found ?? ""]?.[method.toLowerCase()];
}

type Inline = (schema: JsonSchema) => JsonSchema;

function parameterMisfits(own: ApiOperation, { parameters }: OpenAIOperation, theirs: Inline): Misfit[] {
  const known = (own.parameters ?? []).filter((parameter) => parameter.in !== "path");
  const given = parameters.filter((parameter) => parameter.in !== "path");
  return misfits(asObject(known, ownInline), asObject(given, theirs), "parameters");
}

function asObject(parameters: OpenAIOperation["parameters"], inline: Inline): JsonSchema {
  return {
    type: "object",
    properties: Object.fromEntries(parameters.map(({ name, schema }) => [name, inline(schema)])),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: false,
  };
}

function bodyMisfits(own: ApiOperation, { body }: OpenAIOperation, theirs: Inline): Misfit[] {
  if (body === null) return own.requestBody === undefined ? [] : [{ at: "body", what: "may be absent" }];
  const known = own.requestBody?.content[body.type];
  if (known === undefined) return [{ at: "body", what: `may be ${body.type}` }];
  return misfits(ownInline(known.schema), theirs(body.schema), "body");
}

function answerMisfits(own: ApiOperation, { answer }: OpenAIOperation, theirs: Inline): Misfit[] {
  if (answer === null) return [];
  const given = own.responses["200"]?.content?.["application/json"]?.schema;
  if (given === undefined) return [{ at: "answer", what: "is not JSON" }];
  return misfits(theirs(answer), ownInline(given), "answer");
}

function ownInline(schema: JsonSchema): JsonSchema {
  return inlined(schema, ours.components.schemas);
}

/** A schema with what it refers to in its place; none refers to itself. */
function inlined<T>(schema: T, schemas: Record<string, JsonSchema>): T {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map((one) => inlined(one, schemas)) as T;
  const { $ref } = schema as JsonSchema;
  if (typeof $ref === "string") {
    const named = schemas[$ref.replace("#/components/schemas/", "")];
    if (named === undefined) throw new Error(`There is no schema ${$ref}`);
    return inlined(named as T, schemas);
  }
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, inlined(value, schemas)]),
  ) as T;
}
