import { expect, onTestFinished } from "vitest";
import { type RunningServer, type ServeOptions, serveInstance } from "../../src/http/serve.ts";
import { openTestInstance, requestLine, type TestInstance } from "./http-instance.ts";
import { exchange } from "./raw-http.ts";

export interface TestServer extends RunningServer {
  instance: TestInstance;
  /** What was logged as an error. */
  logged: { fields: object; message: string }[];
  /** Sends a request to a path of the server. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** Sends bytes as they are, and resolves with all that comes back until the server closes the connection. */
  raw(bytes: string | Buffer): Promise<string>;
}

/** A server on a free port of this machine, whose engine executes nothing. */
export async function startTestServer(
  options: Omit<ServeOptions, "log"> & { instance?: TestInstance } = {},
): Promise<TestServer> {
  const { instance = await openTestInstance(), ...serveOptions } = options;
  const logged: TestServer["logged"] = [];
  const log = { error: (fields: object, message: string) => void logged.push({ fields, message }) };
  const server = await serveInstance(instance, { port: 0, ...serveOptions, log });
  onTestFinished(() => server.close());
  return {
    ...server,
    instance,
    logged,
    send: (path, init) => fetch(`${server.url}${path}`, init),
    raw: (bytes) => exchange(server.port, bytes),
  };
}

/** A form with an input file, as the SDKs send it. */
export function inputForm(text: string, { filename = "input.jsonl", purpose = "batch" } = {}): FormData {
  const form = new FormData();
  form.set("purpose", purpose);
  form.set("file", new Blob([text]), filename);
  return form;
}

/** Uploads a batch input, of one line unless told otherwise. */
export async function upload(
  server: TestServer,
  text = `${requestLine("a")}\n`,
): Promise<Record<string, unknown> & { id: string }> {
  const response = await server.send("/v1/files", { method: "POST", body: inputForm(text) });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown> & { id: string };
}

/** Creates a batch of one line. */
export async function createBatch(server: TestServer): Promise<{ id: string; input_file_id: string }> {
  const { id } = await upload(server);
  const params = { input_file_id: id, endpoint: "/v1/embeddings", completion_window: "24h" };
  const response = await post(server, "/v1/batches", JSON.stringify(params));
  expect(response.status).toBe(200);
  return (await response.json()) as { id: string; input_file_id: string };
}

export function post(server: TestServer, path: string, body: string): Promise<Response> {
  return server.send(path, { method: "POST", body, headers: { "content-type": "application/json" } });
}
