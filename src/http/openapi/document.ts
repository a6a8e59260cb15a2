import { STATUS_CODES } from "node:http";
import { z } from "zod";
import { limits } from "../../batch/limits.ts";
import { packageVersion } from "../../service/version.ts";
import { openPaths } from "../authenticate.ts";
import type { ErrorEnvelope } from "../error-response.ts";
import type { ErrorStatus } from "../error-table.ts";
import type { Answer, Operation, RequestBody } from "./operation.ts";
import { operations } from "./operations.ts";
import { components, objectOf } from "./schemas.ts";
import { webhookEvent } from "./webhooks.ts";

type Json = Record<string, unknown>;

const errorSchema = objectOf<ErrorEnvelope>("Error", {
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

/** What any route may answer: a foreign page or Host, and a fault of the server. */
const anyRoute: readonly ErrorStatus[] = [403, 500, 503];

/** What any route that wants a key may answer beside it. */
const keyedRoute: readonly ErrorStatus[] = [401, 429];

/** What any route that reads a body may answer beside it: the body took too long, or broke off. */
const bodiedRoute: readonly ErrorStatus[] = [408];

/** The API's own description: OpenAPI 3.1, made of the schemas that check requests and those of the answers. */
export function createDocument(): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "Nerif",
      version: packageVersion(),
      description: "The OpenAI-compatible Batch API that you run yourself.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    // Without keys, on loopback, none is asked for.
    security: [{ bearer: [] }, {}],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths: paths(),
    webhooks: { batch: { post: webhook() } },
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: componentSchemas(),
    },
  };
}

function paths(): Record<string, Json> {
  const byPath: Record<string, Json> = {};
  for (const operation of operations) {
    byPath[operation.path] = { ...byPath[operation.path], [operation.method]: describe(operation) };
  }
  return byPath;
}

/** What Nerif itself sends to the receivers of a project. */
function webhook(): Json {
  return {
    operationId: "batchEvent",
    tags: ["Webhooks"],
    summary: "A batch has ended",
    security: [],
    parameters: ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => ({
      ...{ name, in: "header", required: true },
      schema: { type: "string" },
    })),
    requestBody: requestBody({ schema: webhookEvent }),
    responses: { "2XX": { description: "The receiver has it; after anything else it is sent again." } },
  };
}

function describe(operation: Operation): Json {
  const { id, tag, path, summary, body } = operation;
  const isKeyed = !openPaths.has(path);
  const refusals = [
    ...operation.refusals,
    ...anyRoute,
    ...(isKeyed ? keyedRoute : []),
    ...(body === undefined ? [] : bodiedRoute),
  ];
  const parameters = [...pathParameters(path), ...queryParameters(operation), ...headers(operation)];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(isKeyed ? {} : { security: [] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: {
      ...Object.fromEntries(refusals.map((status) => [status, refusal(status)])),
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, to]) => [status, answer(status, to)]),
      ),
    },
  };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name, in: "path", required: true },
    schema: { type: "string" },
  }));
}

function queryParameters({ query }: Operation): Json[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(query) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    ...{ name, in: "query", required: required.includes(name) },
    ...(description === undefined ? {} : { description }),
    // `metadata[team]=search`
    ...(String(schema.type).startsWith("object") ? { style: "deepObject", explode: true } : {}),
    schema: withoutNull(schema),
  }));
}

/** Programs may say null for what is absent; a URL cannot. */
function withoutNull({ type, anyOf, ...schema }: Json): Json {
  if (Array.isArray(type)) return { type: type.filter((one) => one !== "null")[0], ...schema };
  if (!Array.isArray(anyOf)) return type === undefined ? schema : { type, ...schema };
  const [only = {}] = (anyOf as Json[]).filter((one) => one.type !== "null");
  return { ...only, ...schema };
}

function headers({ idempotent = false }: Operation): Json[] {
  if (!idempotent) return [];
  return [
    {
      ...{ name: "Idempotency-Key", in: "header", required: false },
      description: "The same key again gives the first answer again, for 24 hours.",
      schema: { type: "string", pattern: "^[!-~]+$", maxLength: limits.idempotencyKey.length },
    },
  ];
}

function requestBody({ type, schema, required = true }: RequestBody): Json {
  // Objects in a form are fields with brackets: `expires_after[seconds]`.
  const brackets = { encoding: { expires_after: { style: "deepObject", explode: true } } };
  const content = { schema: reference(schema) };
  if (type === undefined) return { required, content: { "application/json": content } };
  const hasObject = schema instanceof z.ZodObject && "expires_after" in schema.shape;
  return { required, content: { [type]: hasObject ? { ...content, ...brackets } : content } };
}

function answer(status: string, to: Answer): Json {
  const description = STATUS_CODES[status] ?? status;
  if (to === null) return { description };
  if (!(to instanceof z.ZodType)) return { description: to.summary, content: { [to.type]: {} } };
  return { description, content: { "application/json": { schema: reference(to) } } };
}

function refusal(status: ErrorStatus): Json {
  const description = STATUS_CODES[status] ?? String(status);
  return { description, content: { "application/json": { schema: reference(errorSchema) } } };
}

function reference(schema: z.ZodType): Json {
  const id = components.get(schema)?.id;
  return id === undefined ? jsonSchema(schema) : { $ref: refTo(id) };
}

function refTo(id: string): string {
  return `#/components/schemas/${id}`;
}

function componentSchemas(): Record<string, Json> {
  const { schemas } = z.toJSONSchema(components, { io: "input", uri: refTo, override });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, bare(schema)]));
}

/** What a client may send, or gets: the side of a schema before its transformations. */
function jsonSchema(schema: z.ZodType): Json {
  return bare(z.toJSONSchema(schema, { io: "input", override }));
}

/** Inside the document neither the dialect nor the address of a schema is said again. */
function bare({ $schema: _s, $id: _i, "~standard": _t, ...schema }: Json): Json {
  return schema;
}

/** zod bounds every integer by what JavaScript holds exactly, which tells a client nothing. */
function override({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}
