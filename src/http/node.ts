import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { isLoopbackHost } from "./loopback-guard.ts";
import { createListener, type Handler } from "./node-bridge.ts";
import { newRequestId } from "./request-id.ts";

export interface ListenOptions {
  handler: Handler;
  /** Default `127.0.0.1`. */
  host?: string | undefined;
  /** Default 8787; 0 takes a free one. */
  port?: number | undefined;
  /** Allows addresses that other machines reach, where nothing asks for a key. Default false. */
  insecure?: boolean | undefined;
  /** True when the handler asks everybody for a key, so that any address will do. Default false. */
  isGuarded?: boolean | undefined;
  /** Longest time for the head of a request, in milliseconds. Default 30 s. */
  headMs?: number | undefined;
  /** Longest pause inside the body of a request, in milliseconds. Default 2 minutes. */
  bodyIdleMs?: number | undefined;
  /** Longest time in which a client takes nothing of an answer that is being sent, in milliseconds. Default 2 minutes. */
  answerIdleMs?: number | undefined;
  /** How long a client may go on sending after it got its answer, in milliseconds. Default 30 s. */
  lingerMs?: number | undefined;
  /** Connections that may be open at once; further ones are closed as they come. Default 2,048. */
  maxConnections?: number | undefined;
}

export interface Listening {
  /** `http://127.0.0.1:8787` */
  url: string;
  host: string;
  port: number;
  /**
   * Accepts nothing new, lets running requests end for `graceMs` milliseconds, then breaks them off.
   * Safe to call more than once.
   */
  close(options?: { graceMs?: number }): Promise<void>;
}

function serverOptions(headMs: number): ServerOptions {
  return {
    maxHeaderSize: 64 * 1024,
    headersTimeout: headMs,
    // Uploads of any size take as long as they take; what bounds them is the pause inside the body.
    requestTimeout: 0,
    // Node looks only so often whether a head is late.
    connectionsCheckingInterval: Math.min(5_000, headMs),
    // Longer than the usual 60 s of a load balancer, so that it is never the server that closes first.
    keepAliveTimeout: 65_000,
    // Refused by the listener, with an envelope.
    requireHostHeader: false,
  };
}

/**
 * Serves a handler over HTTP/1.1.
 *
 * @throws NerifError `invalid_configuration` when the address is taken, not there, or beyond loopback
 */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { handler, host = "127.0.0.1", port = 8787, insecure = false, isGuarded = false } = options;
  const { headMs = 30_000, bodyIdleMs = 120_000, answerIdleMs = 120_000, lingerMs = 30_000 } = options;
  if (!insecure && !isGuarded && !isLoopbackHost(host.includes(":") ? `[${host}]` : host)) {
    throw new NerifError(
      "invalid_configuration",
      `Cannot listen on ${host}: other machines could reach it, and no API key protects it; create one with nerif keys create, listen on 127.0.0.1, or pass --insecure`,
      { param: "host" },
    );
  }
  const listener = createListener(handler, { hostname: host, bodyIdleMs, lingerMs });
  const answers = new WeakMap<Duplex, ServerResponse>();
  // Connections that have asked for nothing yet; to Node they are not idle.
  const silent = new Set<Duplex>();
  const server = createServer(serverOptions(headMs));
  // Not asked for its body by Node: the listener does, when somebody wants to read it.
  for (const event of ["request", "checkContinue"]) {
    server.on(event, (incoming: IncomingMessage, outgoing: ServerResponse) => {
      answers.set(incoming.socket, outgoing);
      silent.delete(incoming.socket);
      listener(incoming, outgoing);
    });
  }
  // Node itself would refuse it without a word.
  server.on("checkExpectation", (_incoming: IncomingMessage, outgoing: ServerResponse) => {
    const body = refusalBody(417);
    outgoing.writeHead(417, { connection: "close", ...refusalHeaders(body) }).end(body);
  });
  server.on("connection", (socket: Socket) => {
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
  });
  server.on("clientError", (reason, socket) =>
    answerBrokenRequest(reason, { socket, lingerMs, last: answers.get(socket) }),
  );
  server.setTimeout(answerIdleMs, (socket) => endIfIdle(socket, answers.get(socket)));
  server.maxConnections = options.maxConnections ?? 2_048;
  await bind(server, { host, port });
  const address = server.address() as AddressInfo;
  const shownHost = address.family === "IPv6" ? `[${address.address}]` : address.address;
  let closing: Promise<void> | undefined;
  return {
    url: `http://${shownHost}:${address.port}`,
    host,
    port: address.port,
    close({ graceMs = 0 } = {}) {
      closing ??= closeServer(server, { graceMs, silent });
      return closing;
    },
  };
}

/**
 * Nothing came or went for a while. An answer may be long in coming, which is nobody's fault; one that is there and is
 * not taken would keep the connection, and the file that it is read from, for ever.
 */
function endIfIdle(socket: Socket, last: ServerResponse | undefined): void {
  const isComing = last?.writableFinished === false && socket.writableLength === 0;
  if (!isComing) socket.destroy();
}

interface BrokenConnection {
  socket: Duplex;
  lingerMs: number;
  /** The last answer on this connection; in the middle of it nothing else may be written. */
  last: ServerResponse | undefined;
}

/** Requests that are not even HTTP never reach the handler. */
function answerBrokenRequest(reason: Error, { socket, lingerMs, last }: BrokenConnection): void {
  const isAnswering = last?.headersSent === true && !last.writableFinished;
  if (isAnswering || !socket.writable || errnoOf(reason) === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const code = errnoOf(reason);
  const status = code === "HPE_HEADER_OVERFLOW" ? 431 : code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  const body = refusalBody(status);
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      "connection: close",
      ...Object.entries(refusalHeaders(body)).map((header) => header.join(": ")),
      "",
      body,
    ].join("\r\n"),
  );
  // Who does not close it after that keeps the connection for a while, and not for ever.
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once("close", () => clearTimeout(timer));
  socket.resume();
}

function refusalBody(status: number): string {
  const message = `Cannot read the request: ${STATUS_CODES[status]}`;
  return JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code: null } });
}

function refusalHeaders(body: string): Record<string, string> {
  return {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "x-request-id": newRequestId(),
  };
}

async function bind(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, host, resolve);
  try {
    await promise;
  } catch (cause) {
    throw new NerifError("invalid_configuration", `Cannot listen on ${host}:${port}: ${bindReason(cause)}`, {
      param: errnoOf(cause) === "EADDRINUSE" ? "port" : "host",
      cause,
    });
  }
  server.off("error", reject);
}

function bindReason(cause: unknown): string {
  switch (errnoOf(cause)) {
    case "EADDRINUSE":
      return "another process listens there";
    case "EACCES":
      return "this user may not listen on that port";
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return "this machine does not have that address";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}

/** Timers of Node cannot wait longer. Who gives more time than that gives as much as it takes. */
const longestTimerMs = 2 ** 31 - 1;

async function closeServer(
  server: Server,
  { graceMs, silent }: { graceMs: number; silent: ReadonlySet<Duplex> },
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of silent) socket.destroy();
  // A connection that ends its last request after the close would otherwise be kept alive.
  const sweeping = setInterval(() => server.closeIdleConnections(), 50);
  const breakingOff =
    graceMs > longestTimerMs ? undefined : setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(sweeping);
  clearTimeout(breakingOff);
}
