import type { BatchObject, BatchStatus } from "../batch/batch.ts";
import type { FileObject } from "../batch/file.ts";
import type { BatchProgress } from "../batch/progress.ts";
import type { WebhookEndpointObject } from "../batch/webhook.ts";
import type { NerifOptions } from "../compose.ts";
import type { WebhookEndpointWithSecret, WebhookTest } from "../service/webhooks.ts";
import { createLocalClient } from "./local-client.ts";
import { createRemoteClient } from "./remote-client.ts";

/** Files, batches and webhook endpoints, in the local data directory or at a server. */
export interface Client {
  files: {
    /** @param path of a JSONL file */
    upload(path: string): Promise<FileObject>;
    list(page: PageQuery): Promise<ListPage<FileObject>>;
    retrieve(id: string): Promise<FileObject>;
    content(id: string): AsyncIterable<Uint8Array>;
    delete(id: string): Promise<void>;
  };
  batches: {
    create(params: NewBatch): Promise<BatchObject>;
    list(query: BatchQuery): Promise<ListPage<BatchObject>>;
    retrieve(id: string): Promise<BatchObject>;
    progress(id: string): Promise<BatchProgress>;
    cancel(id: string): Promise<BatchObject>;
    retry(id: string): Promise<BatchObject>;
    /** Resolves when the batch is final. @throws NerifError `aborted` */
    wait(
      id: string,
      options: { signal: AbortSignal; onProgress: (batch: BatchObject) => void },
    ): Promise<BatchObject>;
    results(id: string, options: { follow: boolean; signal: AbortSignal }): AsyncIterable<Uint8Array>;
  };
  webhooks: {
    create(endpoint: NewWebhookEndpoint): Promise<WebhookEndpointWithSecret>;
    list(page: PageQuery): Promise<ListPage<WebhookEndpointObject>>;
    retrieve(id: string): Promise<WebhookEndpointObject>;
    delete(id: string): Promise<void>;
    rotate(id: string, how: { keepOld: boolean }): Promise<WebhookEndpointWithSecret>;
    test(id: string, eventType: string): Promise<WebhookTest>;
  };
  close(options?: { graceMs: number }): Promise<void>;
}

export interface PageQuery {
  limit: number | undefined;
  after: string | undefined;
}

export interface BatchQuery extends PageQuery {
  status: BatchStatus | undefined;
  /** Unix seconds. */
  created_after: number | undefined;
  created_before: number | undefined;
  metadata: Record<string, string> | undefined;
}

export interface ListPage<T> {
  data: T[];
  has_more: boolean;
}

export interface NewBatch {
  input_file_id: string;
  endpoint: string;
  completion_window: string;
  metadata?: Record<string, string> | undefined;
}

export interface NewWebhookEndpoint {
  name: string;
  url: string;
  event_types: readonly string[];
}

export interface ClientOptions extends NerifOptions {
  /** Base URL of a server; without one it is the data directory. */
  server: string | undefined;
}

/** What receivers of webhooks get of the end of a batch that this process has run, in milliseconds. */
export const tellMs = 2_000;

/** Opens a client, and closes it however its use ends. */
export async function withClient<T>(options: ClientOptions, use: (client: Client) => Promise<T>): Promise<T> {
  const client = await createClient(options);
  try {
    return await use(client);
  } finally {
    await client.close({ graceMs: tellMs });
  }
}

function createClient({ server, ...local }: ClientOptions): Promise<Client> {
  return server === undefined ? createLocalClient(local) : createRemoteClient(server);
}
