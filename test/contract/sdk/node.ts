import { createReadStream } from "node:fs";
import type OpenAI from "openai";
import type { AzureOpenAI } from "openai";
import {
  type Answer,
  type ClientOptions,
  createSdk,
  type Driver,
  type Method,
  type Params,
  SdkError,
} from "./sdk.ts";

/** What a major version of `openai` exports, as far as it is needed. */
export interface NodeSdk {
  default: typeof OpenAI;
  AzureOpenAI: typeof AzureOpenAI;
  toFile: typeof OpenAI.toFile;
}

/** The Node SDK, in this very process. */
export function createNodeDriver(sdk: NodeSdk, version: string): Driver {
  const calls = nodeCalls(sdk.toFile);
  const sample = openClient(sdk, { baseUrl: "http://localhost" });
  return {
    language: "node",
    version: `openai ${version}`,
    has: (method) => hasMethod(sample, method),
    open(options) {
      const client = openClient(sdk, options);
      return createSdk(async (method, args) => {
        try {
          return await calls[method](client, args as never);
        } catch (reason) {
          throw sdkError(reason);
        }
      });
    },
    async close() {},
  };
}

function openClient(sdk: NodeSdk, options: ClientOptions): OpenAI {
  const { baseUrl, apiKey = "unused", maxRetries, webhookSecret, headers, azure } = options;
  const shared = {
    apiKey,
    ...(maxRetries === undefined ? {} : { maxRetries }),
    ...(webhookSecret === undefined ? {} : { webhookSecret }),
    ...(headers === undefined ? {} : { defaultHeaders: headers }),
  };
  return azure === undefined
    ? new sdk.default({ ...shared, baseURL: baseUrl })
    : new sdk.AzureOpenAI({ ...shared, endpoint: baseUrl, ...azure });
}

const pythonMethods: readonly Method[] = ["uploads.chunked", "files.contentForms", "files.legacyContent"];

function hasMethod(client: OpenAI, method: Method): boolean {
  if (pythonMethods.includes(method)) return false;
  const isNew = method.startsWith("webhooks.") && method !== "webhooks.unwrap";
  return !isNew || "rotateSecret" in client.webhooks;
}

type Call = (client: OpenAI, args: never) => Promise<unknown>;

interface Identified {
  id: string;
}

interface Query {
  query: Params;
}

/** Parameters go through as they are: what the types of the SDK would forbid is what some rows send. */
function nodeCalls(toFile: NodeSdk["toFile"]): Record<Method, Call> {
  const bytes = (base64: string, name?: string) => toFile(Buffer.from(base64, "base64"), name);
  return {
    "files.create": async (client, { file, ...params }: Params & { file: NodeSource }) => {
      const source = "path" in file ? createReadStream(file.path) : await bytes(file.base64, file.name);
      return plain(await client.files.create({ file: source, ...params } as never));
    },
    "files.list": async (client, { query }: Query) => plain(await client.files.list(query)),
    "files.all": (client, { query }: Query) => all(client.files.list(query)),
    "files.retrieve": async (client, { id }: Identified) => plain(await client.files.retrieve(id)),
    "files.delete": async (client, { id }: Identified) => plain(await client.files.delete(id)),
    "files.content": async (client, { id }: Identified) =>
      Buffer.from(await (await client.files.content(id)).arrayBuffer()).toString("base64"),
    "files.waitForProcessing": async (client, { id }: Identified) =>
      plain(await client.files.waitForProcessing(id)),
    "files.contentForms": onlyInPython,
    "files.legacyContent": onlyInPython,
    "uploads.create": async (client, { params }: { params: never }) =>
      plain(await client.uploads.create(params)),
    "uploads.part": async (client, { id, base64 }: Identified & { base64: string }) =>
      plain(await client.uploads.parts.create(id, { data: await bytes(base64) })),
    "uploads.complete": async (client, { id, params }: Identified & { params: never }) =>
      plain(await client.uploads.complete(id, params)),
    "uploads.cancel": async (client, { id }: Identified) => plain(await client.uploads.cancel(id)),
    "uploads.chunked": onlyInPython,
    "batches.create": async (client, { params }: { params: never }) =>
      plain(await client.batches.create(params)),
    "batches.list": async (client, { query }: Query) => plain(await client.batches.list(query)),
    "batches.all": (client, { query }: Query) => all(client.batches.list(query)),
    "batches.retrieve": async (client, { id }: Identified) => plain(await client.batches.retrieve(id)),
    "batches.cancel": async (client, { id }: Identified) => plain(await client.batches.cancel(id)),
    "webhooks.create": async (client, { params }: { params: never }) =>
      plain(await client.webhooks.create(params)),
    "webhooks.list": async (client, { query }: Query) => plain(await client.webhooks.list(query)),
    "webhooks.all": (client, { query }: Query) => all(client.webhooks.list(query)),
    "webhooks.retrieve": async (client, { id }: Identified) => plain(await client.webhooks.retrieve(id)),
    "webhooks.update": async (client, { id, params }: Identified & { params: never }) =>
      plain(await client.webhooks.update(id, params)),
    "webhooks.delete": async (client, { id }: Identified) => plain(await client.webhooks.delete(id)),
    "webhooks.rotateSecret": async (client, { id, params }: Identified & { params: Params }) =>
      plain(await client.webhooks.rotateSecret(id, Object.keys(params).length === 0 ? undefined : params)),
    "webhooks.test": async (client, { id, params }: Identified & { params: never }) =>
      plain(await client.webhooks.test(id, params)),
    "webhooks.eventTypes": async (client) => plain(await client.webhooks.eventTypes.list()),
    "webhooks.unwrap": (client, { body, headers, secret }: Delivery) =>
      client.webhooks.unwrap(body, headers, secret),
    "models.list": (client) => all(client.models.list()),
    request: async (client, { path, ...request }: { method: "get"; path: string; body?: never }) =>
      client.request({ path, ...request }),
  };
}

function onlyInPython(): Promise<never> {
  return Promise.reject(new Error("The Node SDK has no such call"));
}

type NodeSource = { path: string } | { base64: string; name?: string };

interface Delivery {
  body: string;
  headers: Record<string, string>;
  secret?: string;
}

/** Every item of every page. */
async function all(pages: AsyncIterable<object>): Promise<object[]> {
  const items: object[] = [];
  for await (const item of pages) items.push(plain(item));
  return items;
}

/** Answers are objects with hidden parts: the client, and the request id. */
function plain<T extends object>(answer: T): Answer<object> {
  const id = "_request_id" in answer ? (answer._request_id as string | null) : null;
  return { ...(JSON.parse(JSON.stringify(answer)) as object), ...(id === null ? {} : { _request_id: id }) };
}

function sdkError(reason: unknown): SdkError {
  if (!(reason instanceof Error)) throw new Error(`The SDK threw ${String(reason)}`);
  const { status, code, type, param, requestID, error } = reason as Error & Partial<ApiErrorFields>;
  const className = reason.constructor.name;
  const message = error?.message ?? reason.message;
  return new SdkError({
    className,
    message,
    status: status ?? null,
    code: code ?? null,
    type: type ?? null,
    param: param ?? null,
    requestId: requestID ?? null,
  });
}

interface ApiErrorFields {
  status: number;
  code: string | null;
  type: string;
  param: string | null;
  requestID: string | null;
  error: { message?: string };
}
