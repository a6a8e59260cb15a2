import { readFileSync } from "node:fs";
import { NerifError } from "../batch/errors.ts";
import { limits } from "../batch/limits.ts";
import { baseUrl } from "./base-url.ts";
import { aborted, Call, type CallSettings, timedOut } from "./call.ts";
import { createConnections } from "./connections.ts";
import { createBodyEditor } from "./edit-body.ts";
import { type ExtraHeaders, noHeaders } from "./headers.ts";
import { createModelNames, type ModelNames } from "./models.ts";
import type { Environment, ModelsOption } from "./options.ts";
import { createSecret } from "./secret.ts";
import type { Answer, Upstream, UpstreamBounds } from "./upstream.ts";

export interface HttpUpstreamOptions {
  name: string;
  /** Base URL, as an OpenAI client takes it: `http://localhost:8000/v1`. */
  url: string | URL;
  /** Sent as bearer token. Default: none. */
  apiKey?: string | null | undefined;
  /** Which models it takes, and what it calls them. Default: every model, under its own name. */
  models?: ModelsOption | null | undefined;
  /** Calls that may be in flight at once: a fixed number, or the range within which it is learned. */
  concurrency: number | UpstreamBounds["concurrency"];
  /** Default: none. */
  requestsPerMinute?: number | null | undefined;
  tokensPerMinute?: number | null | undefined;
  /** What is left to live traffic. Default: nothing in particular. */
  yields?: UpstreamBounds["yields"];
  /** Sent with every call. Default: none. */
  headers?: ExtraHeaders | undefined;
  /** Put into bodies that have none of their own. Default: nothing is put in. */
  priority?: number | null | undefined;
  /** Milliseconds until a connection must have been accepted. Default 10,000. */
  connectTimeoutMs?: number | undefined;
  /** Milliseconds for a whole call, from sending to the last byte. Default 600,000. */
  requestTimeoutMs?: number | undefined;
  /** URL of the proxy to go through; null: none. Default: what `env` says. */
  proxy?: string | null | undefined;
  /** PEM file with certificates to trust beside the others. Default: none. */
  caFile?: string | null | undefined;
  /** Largest answer in bytes. Default `limits.answerBytes`. */
  maxAnswerBytes?: number | undefined;
  /** Whether a running call keeps the process alive. Default true. */
  keepAlive?: boolean | undefined;
  /** Where proxy and certificates are looked up. Default `process.env`. */
  env?: Environment | undefined;
}

/** Timers of Node cannot wait longer. */
const longestTimerMs = 2 ** 31 - 1;

const version: string = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
).version;

/**
 * An upstream over HTTP/1.1.
 *
 * @throws NerifError `invalid_configuration` for a URL, key or certificate file that cannot be used
 */
export function createHttpUpstream(options: HttpUpstreamOptions): Upstream {
  const url = baseUrl(`${options.url}`, `the URL of upstream ${JSON.stringify(options.name)}`);
  const { origin } = url;
  const pathOf = pathsBelow(url);
  const key = checkedKey(options);
  const extra = options.headers ?? noHeaders;
  const headers = commonHeaders(key, extra);
  const postHeaders = [...headers, "content-type", "application/json", "idempotency-key"];
  const timeoutMs = Math.min(options.requestTimeoutMs ?? 600_000, longestTimerMs);
  const connections = createConnections(url, {
    keepAlive: options.keepAlive ?? true,
    env: options.env ?? process.env,
    proxy: options.proxy,
    caFile: options.caFile ?? null,
    connectTimeoutMs: Math.min(options.connectTimeoutMs ?? 10_000, longestTimerMs),
  });
  const secrets = key === null ? extra.secrets : [key, ...extra.secrets];
  const names = createModelNames(options.models);
  const edit = createBodyEditor({ rename: names.rename, priority: options.priority ?? null });
  const settings: CallSettings = {
    maxAnswerBytes: options.maxAnswerBytes ?? limits.answerBytes,
    secret: secrets.length === 0 ? null : createSecret(secrets),
    onFree: connections.give,
  };
  const watched = new WeakSet<AbortSignal>();
  let timer: NodeJS.Timeout | null = null;
  let closed = false;

  function start(request: Request): void {
    const { method, headers, body, signal, onAnswer } = request;
    if (closed || signal.aborted) {
      queueMicrotask(() => onAnswer(aborted()));
      return;
    }
    if (!watched.has(signal)) watch(signal);
    const connection = connections.take();
    const call = new Call({
      request: { origin, path: pathOf(request.endpoint), method, headers, body },
      connection,
      end: { signal, deadline: performance.now() + timeoutMs, onAnswer },
      settings,
    });
    connection.call = call;
    timer ??= setTimeout(sweep, timeoutMs).unref();
    call.start();
  }

  /** Many calls share a signal; one listener serves them all. */
  function watch(signal: AbortSignal): void {
    watched.add(signal);
    const onAbort = () => {
      for (const { call } of connections.all) if (call?.signal === signal) call.giveUp(aborted());
    };
    signal.addEventListener("abort", onAbort, { once: true });
  }

  /** Ends the calls whose time is over. One timer for all: it sleeps until the first of them is due. */
  function sweep(): void {
    const now = performance.now();
    let soonest = Number.POSITIVE_INFINITY;
    for (const { call } of connections.all) {
      if (call === null || call.ended) continue;
      if (call.deadline <= now) call.giveUp(timedOut(timeoutMs));
      else soonest = Math.min(soonest, call.deadline);
    }
    timer = soonest < Number.POSITIVE_INFINITY ? setTimeout(sweep, Math.ceil(soonest - now)).unref() : null;
  }

  return {
    name: options.name,
    bounds: boundsOf(options),
    serves: names.serves,
    send({ endpoint, body: given, idempotencyKey, signal, onAnswer }) {
      const body = edit === null ? given : edit(given);
      start({ method: "POST", endpoint, headers: [...postHeaders, idempotencyKey], body, signal, onAnswer });
    },
    async models(signal) {
      const answer = await new Promise<Answer>((onAnswer) =>
        start({ method: "GET", endpoint: "/v1/models", headers, body: null, signal, onAnswer }),
      );
      return modelsIn(answer, options.name).flatMap((model) => [model, ...aliased(model, names)]);
    },
    async close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      for (const { call } of connections.all) call?.giveUp(aborted());
      await connections.close();
    },
  };
}

interface Request {
  method: "GET" | "POST";
  endpoint: string;
  headers: string[];
  body: Uint8Array | null;
  signal: AbortSignal;
  onAnswer: (answer: Answer) => void;
}

function boundsOf({
  concurrency,
  requestsPerMinute,
  tokensPerMinute,
  yields,
}: HttpUpstreamOptions): UpstreamBounds {
  return {
    concurrency: typeof concurrency === "number" ? { least: concurrency, most: concurrency } : concurrency,
    requestsPerMinute: requestsPerMinute ?? null,
    tokensPerMinute: tokensPerMinute ?? null,
    yields,
  };
}

function checkedKey({ name, apiKey }: HttpUpstreamOptions): string | null {
  // Keys are often read from files, with their last newline.
  const key = apiKey?.trim() ?? "";
  if (key === "") return null;
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  const reason = "it holds characters that a header cannot carry";
  throw new NerifError(
    "invalid_configuration",
    `Cannot use the key of upstream ${JSON.stringify(name)}: ${reason}`,
    { param: "api_key" },
  );
}

/** Names and values in turn. Those of the configuration take the place of ours. */
function commonHeaders(key: string | null, extra: ExtraHeaders): string[] {
  const headers = new Map([
    ["accept", "application/json"],
    ["accept-encoding", "identity"],
    ["user-agent", `nerif/${version}`],
  ]);
  if (key !== null) headers.set("authorization", `Bearer ${key}`);
  for (const [name, value] of extra.byName) headers.set(name, value);
  return [...headers].flat();
}

/** The base URL stands for `/v1`, as in OpenAI's clients: what follows it in the endpoint is appended. */
function pathsBelow({ pathname, search }: URL): (endpoint: string) => string {
  const prefix = pathname.replace(/\/+$/, "");
  return (endpoint) => `${prefix}${endpoint.startsWith("/v1/") ? endpoint.slice(3) : endpoint}${search}`;
}

function modelsIn(answer: Answer, name: string): unknown[] {
  const listed: unknown = answer.ok ? JSON.parse(Buffer.from(answer.body).toString()) : null;
  if (typeof listed === "object" && listed !== null && "data" in listed && Array.isArray(listed.data)) {
    return listed.data;
  }
  const reason = answer.ok ? "its answer holds no list" : answer.error.message;
  throw new NerifError(
    "upstream_unreachable",
    `Cannot list the models of upstream ${JSON.stringify(name)}: ${reason}`,
  );
}

/** What requests call the model, where that is another name. */
function aliased(model: unknown, names: ModelNames): object[] {
  if (typeof model !== "object" || model === null || !("id" in model) || typeof model.id !== "string")
    return [];
  return names.aliasesOf(model.id).map((id) => ({ ...model, id }));
}
