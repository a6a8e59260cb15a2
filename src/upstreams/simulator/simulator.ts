import { hash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { errnoOf, NerifError } from "../../batch/errors.ts";
import { failure, isSimulated, modelList, type SimulatedAnswer, simulateAnswer } from "./answers.ts";
import { createFates, type FateOptions } from "./fate.ts";
import { createRandom } from "./random.ts";
import { type LoggedRequest, openRequestLog, type RequestLog } from "./request-log.ts";
import { createScriptedServer, type Rule, type ScriptedServer } from "./script.ts";

/** How the simulated server behaves. */
export interface SimulatorOptions extends FateOptions {
  /** Answers are the same for the same seed and request; faults and latencies for the same seed and sequence. Default 0. */
  seed?: number | undefined;
  /** Models that exist. Default: any name does, and `simulated` is listed. */
  models?: readonly string[] | undefined;
  /** Numbers in an embedding, unless the request says how many. Default 256. */
  dimensions?: number | undefined;
  /** Time for writing the answer, on top of the latency. Default: none. */
  tokensPerSecond?: number | undefined;
  /** What 429 asks the client to wait, in milliseconds. Default 1,000. */
  retryAfterMs?: number | undefined;
  /** Requests that are worked on at once. Default: no limit. */
  capacity?: number | undefined;
  /** What becomes of requests beyond the capacity: refused with 429, or kept until there is room. Default `reject`. */
  overload?: "reject" | "queue" | undefined;
  /** The bearer token that requests must carry. Default: none is asked for. */
  apiKey?: string | undefined;
  /** A file that gets one JSON line per request. Default: none. */
  log?: string | undefined;
  /** What happens when, beside or instead of the rates, latency and capacity above, which then have no effect. */
  script?: readonly Rule[] | undefined;
  /** Told of each request that a script decided about, when it has ended. */
  onScripted?: ((call: ScriptedCall) => void) | undefined;
}

/** One request that a script decided about. Times are monotonic milliseconds. */
export interface ScriptedCall {
  model: string;
  /** The request's body. */
  text: string;
  arrivedAt: number;
  /** Null when it was never worked on. */
  startedAt: number | null;
  endedAt: number;
  /** Null when no answer was sent. */
  status: number | null;
  tokens: number;
}

/** What a simulator has done so far. */
export interface Served {
  /** Requests that came whole. */
  requests: number;
  /** Answers by status. */
  answers: Record<string, number>;
  /** Requests that got no answer: hung, reset, or given up by the client. */
  unanswered: number;
  inputTokens: number;
  outputTokens: number;
  /** Most requests worked on at once. */
  peakInFlight: number;
}

/** An OpenAI-compatible model server that answers by rule. */
export interface Simulator {
  readonly served: Readonly<Served>;
  /**
   * @param port 0, the default: any free one
   * @param host default 127.0.0.1
   * @returns the base URL, as an OpenAI client takes it
   * @throws NerifError `invalid_configuration` when it cannot listen there or cannot open the log
   */
  listen(port?: number, host?: string): Promise<{ url: string; port: number }>;
  /** Breaks off what is under way and frees the port. */
  close(): Promise<void>;
}

/** What will be done about a request; without an answer it hangs. */
type Plan =
  | { type: "at_once"; answer: SimulatedAnswer }
  | { type: "reset" }
  | { type: "work"; answer: SimulatedAnswer | null; ms: number };

/** One request that came whole. */
interface Exchange {
  response: ServerResponse;
  entry: Omit<LoggedRequest, "status">;
  plan: Plan;
  started: boolean;
  timer: NodeJS.Timeout | undefined;
  /** What a 429 asks to wait, in milliseconds; null: nothing. */
  retryAfterMs: number | null;
  /** Gives the place at a scripted server up. */
  leave: () => void;
}

const throttled = failure(429, {
  code: "rate_limit_exceeded",
  message: "Rate limit reached",
  type: "requests",
});
const failed = failure(500, { code: null, message: "The server had an error", type: "server_error" });
const unauthorized = failure(401, { code: "invalid_api_key", message: "Incorrect API key provided" });

export function createSimulator(options: SimulatorOptions = {}): Simulator {
  const settings = {
    seed: options.seed ?? 0,
    models: options.models ?? null,
    dimensions: options.dimensions ?? 256,
  };
  const capacity = options.capacity ?? Number.POSITIVE_INFINITY;
  const tokensPerSecond = options.tokensPerSecond ?? Number.POSITIVE_INFINITY;
  const authorization = options.apiKey === undefined ? null : `Bearer ${options.apiKey}`;
  const drawFate = createFates(options, settings.seed);
  const served: Served = {
    requests: 0,
    answers: {},
    unanswered: 0,
    inputTokens: 0,
    outputTokens: 0,
    peakInFlight: 0,
  };
  const script =
    options.script === undefined ? null : createScriptedServer(options.script, createRandom(settings.seed));
  const queue: Exchange[] = [];
  const changes: NodeJS.Timeout[] = [];
  let inFlight = 0;
  let log: RequestLog | null = null;

  // No timers per connection: the clients decide how long they keep one, and there may be ten thousand.
  const patient = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 };
  const server = createServer(patient, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const [first = Buffer.alloc(0)] = chunks;
      receive(request, response, chunks.length > 1 ? Buffer.concat(chunks) : first);
    });
  });

  function receive(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const key = request.headers["idempotency-key"];
    const entry = {
      time: Date.now(),
      path: pathOf(request.url ?? "/"),
      body_sha256: hash("sha256", body, "hex"),
      idempotency_key: typeof key === "string" ? key : null,
    };
    served.requests += 1;
    if (script !== null && request.method === "POST" && isSimulated(entry.path)) {
      play(script, request, { response, entry, text: body.toString() });
      return;
    }
    const plan = decide(request, { body, entry });
    const exchange = newExchange(response, entry, plan);
    response.on("close", () => end(exchange));
    if (plan.type === "reset") request.socket.resetAndDestroy();
    else if (plan.type === "at_once") answer(exchange, plan.answer);
    else if (inFlight < capacity) start(exchange, plan);
    else if (options.overload === "queue") queue.push(exchange);
    else answer(exchange, throttled);
  }

  function decide(
    { method, headers }: IncomingMessage,
    { body, entry }: { body: Buffer; entry: Exchange["entry"] },
  ): Plan {
    const { path, body_sha256: digest } = entry;
    if (authorization !== null && headers.authorization !== authorization) return atOnce(unauthorized);
    if (method === "GET" && path === "/v1/models") return atOnce(modelList(settings.models ?? ["simulated"]));
    if (method !== "POST" || !isSimulated(path)) {
      return atOnce(failure(404, { code: null, message: `Unknown request URL: ${method} ${path}` }));
    }
    const { fault, latencyMs } = drawFate();
    if (fault === "reset") return { type: "reset" };
    if (fault === "throttle") return atOnce(throttled);
    if (fault === "hang") return { type: "work", answer: null, ms: 0 };
    if (fault === "error") return { type: "work", answer: failed, ms: latencyMs };
    const written = simulateAnswer(path, { text: body.toString(), digest, settings });
    const writingMs = (written.outputTokens / tokensPerSecond) * 1_000;
    return { type: "work", answer: written, ms: latencyMs + writingMs };
  }

  function newExchange(response: ServerResponse, entry: Exchange["entry"], plan: Plan): Exchange {
    const retryAfterMs = options.retryAfterMs ?? 1_000;
    return { response, entry, plan, started: false, timer: undefined, retryAfterMs, leave: () => {} };
  }

  /** Lets the script decide about a request. */
  function play(
    scripted: ScriptedServer,
    request: IncomingMessage,
    { response, entry, text }: { response: ServerResponse; entry: Exchange["entry"]; text: string },
  ): void {
    const arrivedAt = performance.now();
    if (changes.length === 0) lookAtChanges(scripted);
    const written = simulateAnswer(entry.path, { text, digest: entry.body_sha256, settings });
    const exchange = newExchange(response, entry, { type: "work", answer: written, ms: 0 });
    const model = modelIn(text);
    let startedAt: number | null = null;
    const verdict = scripted.arrive({ now: arrivedAt, model, text }, (ms) => {
      exchange.started = true;
      startedAt = performance.now();
      inFlight += 1;
      served.peakInFlight = Math.max(served.peakInFlight, inFlight);
      exchange.timer = setTimeout(answer, Math.round(ms), exchange, written);
    });
    if (verdict.type === "work") {
      exchange.leave = () => {
        verdict.leave();
        scripted.look(performance.now());
      };
    } else if (verdict.type === "fail") {
      exchange.retryAfterMs = verdict.retryAfterMs;
      const refusal = failure(verdict.failure.status, verdict.failure);
      exchange.timer = setTimeout(answer, Math.round(verdict.latencyMs), exchange, refusal);
    }
    response.on("close", () => {
      exchange.leave();
      end(exchange);
      const status = response.writableEnded ? response.statusCode : null;
      const tokens = status === 200 ? written.inputTokens + written.outputTokens : 0;
      options.onScripted?.({ model, text, arrivedAt, startedAt, endedAt: performance.now(), status, tokens });
    });
    if (verdict.type === "reset") request.socket.resetAndDestroy();
  }

  /** When more slots come, who waits has to be let in though nobody leaves. */
  function lookAtChanges(scripted: ScriptedServer): void {
    for (const ms of [0, ...scripted.changes]) {
      changes.push(setTimeout(() => scripted.look(performance.now()), ms).unref());
    }
  }

  function start(exchange: Exchange, plan: Plan & { type: "work" }): void {
    exchange.started = true;
    inFlight += 1;
    served.peakInFlight = Math.max(served.peakInFlight, inFlight);
    if (plan.answer === null) return;
    if (plan.ms < 1) answer(exchange, plan.answer);
    // Whole milliseconds: Node keeps one list of timers for each duration.
    else exchange.timer = setTimeout(answer, Math.round(plan.ms), exchange, plan.answer);
  }

  function answer(exchange: Exchange, sent: SimulatedAnswer): void {
    const { response, entry } = exchange;
    const { status, body } = sent;
    served.answers[status] = (served.answers[status] ?? 0) + 1;
    served.inputTokens += sent.inputTokens;
    served.outputTokens += sent.outputTokens;
    const headers = ["content-type", "application/json", "content-length", String(Buffer.byteLength(body))];
    headers.push("x-request-id", `req_${entry.body_sha256.slice(0, 32)}`);
    if (status === 429 && exchange.retryAfterMs !== null) headers.push(...retryAfter(exchange.retryAfterMs));
    // The log comes first: whoever holds the answer finds the request there.
    log?.write({ ...entry, status });
    response.writeHead(status, headers).end(body);
  }

  /** The answer is out, or the client is gone. */
  function end(exchange: Exchange): void {
    clearTimeout(exchange.timer);
    if (!exchange.response.writableEnded) {
      served.unanswered += 1;
      log?.write({ ...exchange.entry, status: null });
    }
    if (!exchange.started) return;
    inFlight -= 1;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (next.response.destroyed || next.plan.type !== "work") continue;
      start(next, next.plan);
      break;
    }
  }

  return {
    served,
    async listen(port = 0, host = "127.0.0.1") {
      if (options.log !== undefined) log = openLog(options.log);
      server.listen({ port, host, backlog: 4_096 });
      await once(server, "listening").catch((cause) => {
        const reason = `Cannot listen on ${host}:${port}: ${errnoOf(cause) ?? "unknown reason"}`;
        throw new NerifError("invalid_configuration", reason, { param: "port", cause });
      });
      const { address, family, port: bound } = server.address() as AddressInfo;
      return { url: `http://${family === "IPv6" ? `[${address}]` : address}:${bound}/v1`, port: bound };
    },
    async close() {
      for (const timer of changes) clearTimeout(timer);
      if (server.listening) {
        const closed = once(server, "close");
        server.close();
        server.closeAllConnections();
        await closed;
      }
      log?.close();
      log = null;
    },
  };
}

function modelIn(text: string): string {
  try {
    const { model } = JSON.parse(text) as { model?: unknown };
    return typeof model === "string" ? model : "";
  } catch {
    // `simulateAnswer` refuses it.
    return "";
  }
}

function atOnce(answer: SimulatedAnswer): Plan {
  return { type: "at_once", answer };
}

function retryAfter(ms: number): string[] {
  return ["retry-after", String(Math.ceil(ms / 1_000)), "retry-after-ms", String(ms)];
}

/** Without the query; a base URL without `/v1` does as well. */
function pathOf(url: string): string {
  const path = url.split("?", 1)[0] ?? url;
  return path.startsWith("/v1/") ? path : `/v1${path}`;
}

function openLog(path: string): RequestLog {
  try {
    return openRequestLog(path);
  } catch (cause) {
    const reason = `Cannot open the request log ${path}: ${errnoOf(cause) ?? "unknown reason"}`;
    throw new NerifError("invalid_configuration", reason, { param: "log", cause });
  }
}
