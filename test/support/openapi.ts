import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

/** The part of an OpenAPI document that tests look at. */
export interface ApiDocument {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, ApiOperation>>;
  components: { schemas: Record<string, JsonSchema> };
}

export interface ApiOperation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean; schema: JsonSchema }[];
  requestBody?: { required: boolean; content: Record<string, { schema: JsonSchema }> };
  responses: Record<string, { content?: Record<string, { schema?: JsonSchema }> }>;
}

export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  [further: string]: unknown;
}

export interface ApiDescription {
  document: ApiDocument;
  /**
   * Holds an answer of the server against its description: the operation, the status and every field must be
   * described, and nothing that is promised may be absent.
   *
   * @param operation method and path, with or without the ids in it: `GET /v1/files/{file_id}`, `GET /v1/files/file-x`
   * @param body the parsed JSON; undefined where there is none, or none that is JSON
   */
  assertMatches(operation: string, status: number, body: unknown): void;
  /** Like `assertMatches`; reads a copy of the answer, which stays as it is. */
  assertAnswer(operation: string, answer: Response): Promise<void>;
}

interface DescribedAnswer {
  /** Where it is in the document. */
  pointer: string[];
  content?: Record<string, { schema?: JsonSchema }>;
}

/** The description that a running server gives of itself. */
export async function readDescription(serverUrl: string): Promise<ApiDescription> {
  const answer = await fetch(`${serverUrl}/openapi.json`);
  if (!answer.ok) throw new Error(`GET /openapi.json was answered with ${answer.status}`);
  return describedBy((await answer.json()) as ApiDocument);
}

export function describedBy(document: ApiDocument): ApiDescription {
  const ajv = new Ajv2020({
    allErrors: true,
    strict: true,
    allowUnionTypes: true,
    formats: { binary: true },
  });
  // To ajv the whole document is one schema, in which it finds those that it is asked for.
  ajv.addVocabulary(Object.keys(document));
  ajv.addSchema(closed(document), "api", undefined, false);

  function assertMatches(operation: string, status: number, body: unknown): void {
    const { pointer, content = {} } = described(operation, status);
    const hasJson = content["application/json"] !== undefined;
    if (hasJson !== (body !== undefined)) {
      throw new Error(`${operation} is described to answer ${status} ${hasJson ? "with" : "without"} JSON`);
    }
    if (!hasJson) return;
    const validate = validator([...pointer, "content", "application/json", "schema"]);
    if (validate(body)) return;
    const text = ajv.errorsText(validate.errors, { dataVar: "body" });
    throw new Error(`${operation} answered ${status} other than described: ${text}\n${JSON.stringify(body)}`);
  }

  function described(operation: string, status: number): DescribedAnswer {
    const [method = "", path = ""] = operation.replace(/\?.*$/, "").split(" ");
    const template = templateOf(document, path);
    const answers = document.paths[template]?.[method.toLowerCase()]?.responses;
    if (answers === undefined) throw new Error(`${operation} is not described`);
    const answer = answers[status];
    if (answer === undefined) throw new Error(`${operation} is not described to answer ${status}`);
    return { ...answer, pointer: ["paths", template, method.toLowerCase(), "responses", String(status)] };
  }

  function validator(parts: string[]): ValidateFunction {
    const pointer = parts
      .map((part) => part.replaceAll("~", "~0").replaceAll("/", "~1"))
      .map(encodeURIComponent);
    const validate = ajv.getSchema(`api#/${pointer.join("/")}`);
    if (validate === undefined) throw new Error(`There is no schema at ${parts.join(" ")}`);
    return validate;
  }

  return {
    document,
    assertMatches,
    async assertAnswer(operation, answer) {
      const type = answer.headers.get("content-type")?.split(";")[0] ?? null;
      const types = Object.keys(described(operation, answer.status).content ?? {});
      if (type === null ? types.length > 0 : !types.includes(type)) {
        throw new Error(
          `${operation} answered ${answer.status} with ${type}; described is ${types.join(", ")}`,
        );
      }
      const isJson = type === "application/json";
      assertMatches(operation, answer.status, isJson ? await answer.clone().json() : undefined);
    },
  };
}

/** The path of the document that a path of a request belongs to; one without parameters goes first. */
function templateOf({ paths }: ApiDocument, path: string): string {
  if (paths[path] !== undefined) return path;
  const fits = (template: string) => new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`).test(path);
  return Object.keys(paths).find(fits) ?? path;
}

/** What is described must be all that there is: a field that nobody described is a mistake here, not an extension. */
function closed<T>(schema: T): T {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(closed) as T;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isObject = copy.type === "object" && copy.properties !== undefined;
  return (isObject ? { additionalProperties: false, ...copy } : copy) as T;
}
