import type { BatchObject } from "../../../src/batch/batch.ts";
import type { FileObject } from "../../../src/batch/file.ts";

/** One of the official SDKs, at one version. */
export interface Driver {
  language: "node" | "python";
  /** `openai 7.57.0` */
  version: string;
  /** False for calls that this version does not have. */
  has(method: Method): boolean;
  /** A client with these settings; cheap. */
  open(options: ClientOptions): Sdk;
  close(): Promise<void>;
}

export interface ClientOptions {
  /** Up to and with `/v1`; for Azure's client the endpoint. */
  baseUrl: string;
  /** Default `unused`. */
  apiKey?: string;
  /** Default: the SDK's own. */
  maxRetries?: number;
  webhookSecret?: string;
  headers?: Record<string, string>;
  /** Makes it Azure's client. */
  azure?: { apiVersion: string; deployment?: string };
}

/** Where the bytes of an upload come from; a path is streamed as the SDK streams files. */
export type FileSource = { path: string } | { bytes: string | Buffer; name?: string };

/** What a call answered, as plain JSON, and the request id that the SDK tells beside it. */
export type Answer<T> = T & { _request_id?: string | null };

export interface UploadObject {
  id: string;
  object: string;
  bytes: number;
  created_at: number;
  expires_at: number;
  filename: string;
  purpose: string;
  status: string;
  file?: FileObject | null;
}

export interface EndpointObject {
  id: string;
  object: string;
  created_at: number;
  updated_at: number;
  name: string;
  url: string;
  event_types: string[];
  signing_secret_hint: string | null;
  signing_secret?: string;
}

export type Params = Readonly<Record<string, unknown>>;

export interface Deleted {
  id: string;
  object: string;
  deleted: boolean;
}

/** The calls that both SDKs have, with answers as JSON. Every refusal is an `SdkError`. */
export interface Sdk {
  files: {
    create(params: {
      file: FileSource;
      purpose: string;
      expires_after?: Params;
    }): Promise<Answer<FileObject>>;
    list(query?: Params): Promise<Answer<{ data: FileObject[]; has_more: boolean }>>;
    /** All of them, by the SDK's own paging. */
    all(query?: Params): Promise<FileObject[]>;
    retrieve(id: string): Promise<Answer<FileObject>>;
    delete(id: string): Promise<Answer<Deleted>>;
    content(id: string): Promise<Buffer>;
    waitForProcessing(id: string): Promise<Answer<FileObject>>;
    /** The text in every way that Python's answer offers it. */
    contentForms(id: string): Promise<Record<string, string>>;
    /** Python's older `retrieve_content`. */
    legacyContent(id: string): Promise<string>;
  };
  uploads: {
    create(params: Params): Promise<Answer<UploadObject>>;
    part(id: string, bytes: string | Buffer): Promise<Answer<{ id: string }>>;
    complete(id: string, params: Params): Promise<Answer<UploadObject>>;
    cancel(id: string): Promise<Answer<UploadObject>>;
    /** Python's helper. */
    chunked(params: Params & { file: FileSource }): Promise<Answer<UploadObject>>;
  };
  batches: {
    create(params: Params): Promise<Answer<BatchObject>>;
    list(query?: Params): Promise<Answer<{ data: BatchObject[]; has_more: boolean }>>;
    all(query?: Params): Promise<BatchObject[]>;
    retrieve(id: string): Promise<Answer<BatchObject>>;
    cancel(id: string): Promise<Answer<BatchObject>>;
  };
  webhooks: {
    create(params: Params): Promise<Answer<EndpointObject>>;
    list(query?: Params): Promise<Answer<{ data: EndpointObject[]; has_more: boolean }>>;
    all(query?: Params): Promise<EndpointObject[]>;
    retrieve(id: string): Promise<Answer<EndpointObject>>;
    update(id: string, params: Params): Promise<Answer<EndpointObject>>;
    delete(id: string): Promise<Answer<Deleted>>;
    rotateSecret(id: string, params?: Params): Promise<Answer<EndpointObject>>;
    test(id: string, params: Params): Promise<Answer<Params>>;
    eventTypes(): Promise<Answer<{ object: string; data: string[] }>>;
    unwrap(delivery: {
      body: string;
      headers: Record<string, string>;
      secret?: string;
    }): Promise<Params & { data: Params }>;
  };
  models: { list(): Promise<{ id: string }[]> };
  /** Any request, through the SDK's own client. */
  request(request: RawRequest): Promise<unknown>;
}

export interface RawRequest {
  method: "get" | "post" | "delete";
  /** Behind the base URL. */
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** `files.create` and so on; `request` alone has no group. */
export type Method =
  | { [G in Exclude<keyof Sdk, "request">]: `${G}.${Extract<keyof Sdk[G], string>}` }[Exclude<
      keyof Sdk,
      "request"
    >]
  | "request";

/** What an SDK throws for an answer that is an error, or for anything else; `status` is null then. */
export class SdkError extends Error {
  readonly status: number | null;
  readonly code: string | null;
  readonly type: string | null;
  readonly param: string | null;
  readonly requestId: string | null;
  /** The SDK's own class, such as `NotFoundError`. */
  readonly className: string;

  constructor(
    fields: Pick<SdkError, "status" | "code" | "type" | "param" | "requestId" | "className" | "message">,
  ) {
    super(fields.message);
    this.status = fields.status;
    this.code = fields.code;
    this.type = fields.type;
    this.param = fields.param;
    this.requestId = fields.requestId;
    this.className = fields.className;
  }
}

/** The typed calls over one function that makes them. Bytes travel as base64. */
export function createSdk(call: (method: Method, args: Params) => Promise<unknown>): Sdk {
  // What a driver answers is checked by the rows, and by the server's own description of its answers.
  const ask = <T>(method: Method, args: Params = {}) => call(method, args) as Promise<T>;
  return {
    files: {
      create: (params) => ask("files.create", { ...params, file: encoded(params.file) }),
      list: (query = {}) => ask("files.list", { query }),
      all: (query = {}) => ask("files.all", { query }),
      retrieve: (id) => ask("files.retrieve", { id }),
      delete: (id) => ask("files.delete", { id }),
      content: async (id) => Buffer.from(await ask<string>("files.content", { id }), "base64"),
      waitForProcessing: (id) => ask("files.waitForProcessing", { id }),
      contentForms: (id) => ask("files.contentForms", { id }),
      legacyContent: (id) => ask("files.legacyContent", { id }),
    },
    uploads: {
      create: (params) => ask("uploads.create", { params }),
      part: (id, bytes) => ask("uploads.part", { id, base64: base64(bytes) }),
      complete: (id, params) => ask("uploads.complete", { id, params }),
      cancel: (id) => ask("uploads.cancel", { id }),
      chunked: (params) => ask("uploads.chunked", { ...params, file: encoded(params.file) }),
    },
    batches: {
      create: (params) => ask("batches.create", { params }),
      list: (query = {}) => ask("batches.list", { query }),
      all: (query = {}) => ask("batches.all", { query }),
      retrieve: (id) => ask("batches.retrieve", { id }),
      cancel: (id) => ask("batches.cancel", { id }),
    },
    webhooks: {
      create: (params) => ask("webhooks.create", { params }),
      list: (query = {}) => ask("webhooks.list", { query }),
      all: (query = {}) => ask("webhooks.all", { query }),
      retrieve: (id) => ask("webhooks.retrieve", { id }),
      update: (id, params) => ask("webhooks.update", { id, params }),
      delete: (id) => ask("webhooks.delete", { id }),
      rotateSecret: (id, params = {}) => ask("webhooks.rotateSecret", { id, params }),
      test: (id, params) => ask("webhooks.test", { id, params }),
      eventTypes: () => ask("webhooks.eventTypes"),
      unwrap: (delivery) => ask("webhooks.unwrap", delivery),
    },
    models: { list: () => ask("models.list") },
    request: (request) => ask("request", { ...request }),
  };
}

function encoded(file: FileSource): Params {
  return "path" in file ? file : { base64: base64(file.bytes), name: file.name };
}

function base64(bytes: string | Buffer): string {
  return Buffer.from(bytes).toString("base64");
}
