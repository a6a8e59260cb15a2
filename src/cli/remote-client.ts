import { openAsBlob } from "node:fs";
import { basename, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, FormData, fetch, type RequestInit, type Response } from "undici";
import type { BatchObject } from "../batch/batch.ts";
import { type ErrorCode, errorCodes, NerifError } from "../batch/errors.ts";
import type { FileObject } from "../batch/file.ts";
import { isFinal } from "../batch/lifecycle.ts";
import type { BatchProgress } from "../batch/progress.ts";
import type { WebhookEndpointObject } from "../batch/webhook.ts";
import type { WebhookEndpointWithSecret, WebhookTest } from "../service/webhooks.ts";
import type { BatchQuery, Client, ListPage, PageQuery } from "./client.ts";
import { inputPath } from "./run-places.ts";
import { say } from "./terminal.ts";

const pollMs = 1_000;

/** Asks a server over its HTTP API, with the key in NERIF_API_KEY. @throws NerifError `invalid_usage`, `invalid_configuration` */
export async function createRemoteClient(server: string): Promise<Client> {
  const base = baseUrl(server);
  const headers = keyHeader(process.env.NERIF_API_KEY);
  // Results that are followed may be silent for as long as the model server is.
  const dispatcher = new Agent({ bodyTimeout: 0 });

  async function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(`${base}${path}`, { ...init, headers, dispatcher }).catch(
      (reason: unknown) => {
        throw unreachable(base, reason);
      },
    );
    if (response.ok) return response;
    throw await refusal(response);
  }

  async function json<T>(path: string, init?: RequestInit): Promise<T> {
    const answer: unknown = await (await ask(path, init)).json().catch(() => null);
    if (isObject(answer)) return answer as T;
    const reason = "it answered with something that is no object of this API, so it may be no Nerif server";
    throw new NerifError("upstream_unreachable", `Cannot use the server ${base}: ${reason}`);
  }

  async function* bytes(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const { body } = await ask(path, signal === undefined ? {} : { signal });
    if (body === null) return;
    try {
      yield* body;
    } catch (reason) {
      throw brokenOff(base, reason);
    }
  }

  const batch = (id: string) => `/v1/batches/${encodeURIComponent(id)}`;
  const file = (id: string) => `/v1/files/${encodeURIComponent(id)}`;
  const webhook = (id: string) => `/v1/webhook_endpoints/${encodeURIComponent(id)}`;
  const post = { method: "POST" };
  const postJson = (value: object) => ({ ...post, body: JSON.stringify(value) });
  const retrieve = (id: string) => json<BatchObject>(batch(id));

  return {
    files: {
      async upload(path) {
        const form = new FormData();
        form.set("purpose", "batch");
        form.set("file", await openAsBlob(await inputPath(resolve(path), path)), basename(path));
        return json<FileObject>("/v1/files", { ...post, body: form });
      },
      list: (page) => json<ListPage<FileObject>>(`/v1/files${query(page)}`),
      retrieve: (id) => json<FileObject>(file(id)),
      content: (id) => bytes(`${file(id)}/content`),
      async delete(id) {
        await ask(file(id), { method: "DELETE" });
      },
    },
    batches: {
      create: (params) => json<BatchObject>("/v1/batches", postJson(params)),
      list: (wanted) => json<ListPage<BatchObject>>(`/v1/batches${query(wanted)}`),
      retrieve,
      progress: (id) => json<BatchProgress>(`${batch(id)}/progress`),
      cancel: (id) => json<BatchObject>(`${batch(id)}/cancel`, post),
      retry: (id) => json<BatchObject>(`${batch(id)}/retry`, post),
      async wait(id, { signal, onProgress }) {
        let wasThere = false;
        let isAway = false;
        for (;;) {
          const now = await retrieve(id).catch((reason: unknown) => {
            if (!wasThere || !isPassing(reason)) throw reason;
            if (!isAway) say(`${reason.message}; asking again until it answers`);
            isAway = true;
            return null;
          });
          if (now !== null) {
            wasThere = true;
            isAway = false;
            onProgress(now);
            if (isFinal(now.status)) return now;
          }
          await sleep(pollMs, undefined, { signal }).catch((cause: unknown) => {
            throw new NerifError("aborted", `Cannot wait for ${id} any longer: interrupted`, { cause });
          });
        }
      },
      results: (id, { follow, signal }) =>
        bytes(`${batch(id)}/results${follow ? "?follow=true" : ""}`, signal),
    },
    webhooks: {
      create: (endpoint) => json<WebhookEndpointWithSecret>("/v1/webhook_endpoints", postJson(endpoint)),
      list: (page) => json<ListPage<WebhookEndpointObject>>(`/v1/webhook_endpoints${query(page)}`),
      retrieve: (id) => json<WebhookEndpointObject>(webhook(id)),
      async delete(id) {
        await ask(webhook(id), { method: "DELETE" });
      },
      rotate: (id, { keepOld }) =>
        json<WebhookEndpointWithSecret>(
          `${webhook(id)}/rotate_secret`,
          postJson({ keep_old_secret_active_for_24_hours: keepOld }),
        ),
      test: (id, event_type) => json<WebhookTest>(`${webhook(id)}/test`, postJson({ event_type })),
    },
    close: () => dispatcher.destroy(),
  };
}

/** Each answer of the API says what it is. */
function isObject(answer: unknown): boolean {
  return (
    typeof answer === "object" && answer !== null && "object" in answer && typeof answer.object === "string"
  );
}

function baseUrl(server: string): string {
  const url = URL.parse(server);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "") {
    return `${url.origin}${url.pathname.replace(/\/(v1\/?)?$/, "")}`;
  }
  throw new NerifError(
    "invalid_usage",
    "Cannot use --server: it must be an http or https URL without credentials",
    {
      param: "server",
    },
  );
}

function keyHeader(variable: string | undefined): Record<string, string> {
  const key = variable?.trim() ?? "";
  if (key === "") return {};
  // Here, since what refuses it later repeats it.
  if (/^[\x21-\x7e]+$/.test(key)) return { authorization: `Bearer ${key}` };
  const reason = "it holds characters that a header cannot carry";
  throw new NerifError("invalid_configuration", `Cannot use NERIF_API_KEY: ${reason}`, { param: "api_key" });
}

function query(wanted: PageQuery & Partial<BatchQuery>): string {
  const { limit, after, status, created_after, created_before, metadata = {} } = wanted;
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries({ limit, after, status, created_after, created_before })) {
    if (value !== undefined) pairs.set(name, String(value));
  }
  for (const [key, value] of Object.entries(metadata)) pairs.set(`metadata[${key}]`, value);
  return pairs.size === 0 ? "" : `?${pairs}`;
}

function unreachable(base: string, reason: unknown): NerifError {
  if (reason instanceof Error && reason.name === "AbortError") return NerifError.fromUnknown(reason);
  const cause =
    reason instanceof Error && reason.cause instanceof Error ? reason.cause.message : String(reason);
  return new NerifError(
    "upstream_unreachable",
    `Cannot reach the server ${base}: ${cause || "no connection"}`,
    {
      cause: reason,
    },
  );
}

/** Whether it may be over soon: a server that restarts, or a proxy in front of it that misses it. */
function isPassing(reason: unknown): reason is NerifError {
  return reason instanceof NerifError && passing.has(reason.code);
}

const passing: ReadonlySet<ErrorCode> = new Set([
  "upstream_unreachable",
  "storage_unavailable",
  "shutting_down",
  "internal_error",
]);

/** In the middle of an answer: the server stopped, say, while its results were followed. */
function brokenOff(base: string, reason: unknown): NerifError {
  if (reason instanceof Error && reason.name === "AbortError") return NerifError.fromUnknown(reason);
  return new NerifError(
    "storage_unavailable",
    `Cannot read on: the server ${base} broke its answer off; what came is not all`,
    { cause: reason },
  );
}

/** The server's own words; it refuses in the same codes in which this process would. */
async function refusal(response: Response): Promise<NerifError> {
  const text = await response.text().catch(() => "");
  const { message, code, param } = errorIn(text);
  const known = errorCodes.find((candidate) => candidate === code);
  const said = message ?? text.slice(0, 200);
  return new NerifError(
    known ?? codeOf(response.status),
    `Cannot do that: the server answered ${response.status}${said === "" ? "" : `: ${said}`}`,
    { param },
  );
}

function errorIn(text: string): { message: string | null; code: string | null; param: string | null } {
  try {
    const { error } = JSON.parse(text) as { error?: Record<string, unknown> };
    const field = (name: string) => (typeof error?.[name] === "string" ? (error[name] as string) : null);
    return { message: field("message"), code: field("code"), param: field("param") };
  } catch {
    return { message: null, code: null, param: null };
  }
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return "request_forbidden";
  return status >= 500 ? "internal_error" : "invalid_request";
}
