import { execFileSync } from "node:child_process";
import { argv, stdout } from "node:process";

/**
 * Extracts from OpenAI's published description what `test/openai-description.test.ts` holds ours against: of each
 * route that we have too, names, types, bounds and what is required; no text. Prints `test/fixtures/openai-description.json`.
 *
 *     git clone https://github.com/openai/openai-openapi
 *     node scripts/openai-facts.ts openai-openapi > test/fixtures/openai-description.json
 */
const routes: readonly string[] = [
  "GET /files",
  "POST /files",
  "GET /files/{file_id}",
  "DELETE /files/{file_id}",
  "GET /files/{file_id}/content",
  "POST /uploads",
  "POST /uploads/{upload_id}/parts",
  "POST /uploads/{upload_id}/complete",
  "POST /uploads/{upload_id}/cancel",
  "GET /batches",
  "POST /batches",
  "GET /batches/{batch_id}",
  "POST /batches/{batch_id}/cancel",
  "GET /models",
];

/** Keywords that state a fact; descriptions, titles and examples are left out. */
const facts: readonly string[] = [
  ...["$ref", "type", "nullable", "enum", "const", "default", "required", "additionalProperties"],
  ...["items", "properties", "allOf", "anyOf", "oneOf"],
  ...["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"],
];

type Json = Record<string, unknown>;

interface Description {
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json> };
}

interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema: Json }[];
  requestBody?: { content: Record<string, { schema: Json }> };
  responses: Record<string, { content?: Record<string, { schema: Json }> }>;
}

if (import.meta.main) {
  const clone = argv[2] ?? ".";
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", clone, ...args], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  const [commit, date] = git("log", "-1", "--format=%H %cs").trim().split(" ");
  const description = JSON.parse(git("show", "HEAD:openapi.json")) as Description;
  const source = {
    repository: "https://github.com/openai/openai-openapi",
    ...{ commit, date, version: description.info.version, licence: "MIT, copyright OpenAI" },
  };
  stdout.write(`${JSON.stringify({ source, ...factsOf(description) }, null, 2)}\n`);
}

function factsOf({ paths, components }: Description): Json {
  const schemas: Record<string, unknown> = {};
  const reduce = (schema: unknown): unknown => {
    if (Array.isArray(schema)) return schema.map(reduce);
    if (typeof schema !== "object" || schema === null) return schema;
    const kept: Json = {};
    for (const [keyword, value] of Object.entries(schema)) {
      if (!facts.includes(keyword)) continue;
      if (keyword === "properties") kept[keyword] = mapValues(value as Json, reduce);
      else if (keyword === "$ref") kept[keyword] = note(String(value));
      else kept[keyword] = reduce(value);
    }
    return kept;
  };
  /** Takes a schema along that another one names. */
  const note = (ref: string): string => {
    const name = ref.replace("#/components/schemas/", "");
    if (schemas[name] === undefined) {
      schemas[name] = {};
      schemas[name] = reduce(components.schemas[name]);
    }
    return name;
  };
  const operations: Record<string, unknown> = {};
  for (const route of routes) {
    const [method = "", path = ""] = route.split(" ");
    const operation = paths[path]?.[method.toLowerCase()];
    if (operation === undefined) throw new Error(`OpenAI's description has no ${route}`);
    operations[route] = operationFacts(operation, reduce);
  }
  return { operations, error: { $ref: note("ErrorResponse") }, schemas };
}

function operationFacts(operation: Operation, reduce: (schema: unknown) => unknown): Json {
  const [type, body] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const answer = operation.responses["200"]?.content?.["application/json"];
  return {
    parameters: (operation.parameters ?? []).map(({ name, in: place, required = false, schema }) => ({
      ...{ name, in: place, required, schema: reduce(schema) },
    })),
    body: body === undefined ? null : { type, schema: reduce(body.schema) },
    answer: answer === undefined ? null : reduce(answer.schema),
  };
}

function mapValues(object: Json, change: (value: unknown) => unknown): Json {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
