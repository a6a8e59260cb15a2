import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { getCACertificates } from "node:tls";
import { buildConnector, Client, type Dispatcher, ProxyAgent } from "undici";
import { NerifError } from "../batch/errors.ts";
import type { Call } from "./call.ts";
import type { Environment } from "./options.ts";
import { proxyFor } from "./proxy.ts";

/** Connections to one upstream. Each carries one call at a time: pipelining and HTTP/2 are slower here. */
export interface Connections {
  /** Every one that was ever taken. */
  readonly all: readonly Connection[];
  /** The connection that was used last, which is the likeliest to be open still; a new one when none is free. */
  take(): Connection;
  /** To be called when undici is done with the call, not earlier. */
  give(connection: Connection): void;
  /** Ends every connection at once. */
  close(): Promise<void>;
}

export interface Connection {
  readonly dispatcher: Dispatcher;
  /** What it carries. Kept here, since a set of calls costs memory: V8 cleans up behind a busy one too late. */
  call: Call | null;
}

const maxHeaderSize = 64 * 1024;
/** Servers commonly close an idle connection after 5 s; a call sent at that very moment would be lost. */
const keepAliveTimeout = 4_000;

/** The deadline of a call is kept elsewhere, over the whole of it; undici's own timeouts would cut it into parts. */
const noTimeouts = { headersTimeout: 0, bodyTimeout: 0 };

export interface ConnectionOptions {
  /** Whether open connections keep the process alive while a call runs. Behind a proxy they always do. */
  keepAlive: boolean;
  env: Environment;
  /** URL of the proxy to go through; null: none. Undefined: what `env` says. */
  proxy: string | null | undefined;
  /** PEM file with certificates to trust beside the others. */
  caFile: string | null;
  /** Milliseconds until a connection must have been accepted. */
  connectTimeoutMs: number;
}

/** @throws NerifError `invalid_configuration` */
export function createConnections(url: URL, options: ConnectionOptions): Connections {
  const tls = url.protocol === "https:" ? trusted(options) : {};
  const proxy = options.proxy === undefined ? proxyFor(url, options.env) : options.proxy;
  return proxy === null ? direct(url.origin, { ...options, tls }) : proxied(proxy, { ...options, tls });
}

type Settled = Pick<ConnectionOptions, "keepAlive" | "connectTimeoutMs"> & { tls: Trust };

function direct(origin: string, { keepAlive, connectTimeoutMs, tls }: Settled): Connections {
  // One connector for all, so that they share TLS sessions.
  const connector = buildConnector({ ...tls, timeout: connectTimeoutMs, allowH2: false });
  const connecting = new Set<Socket>();
  const connect: buildConnector.connector = (options, callback) => {
    // undici's types do not say so, but it returns the socket.
    const socket: unknown = connector(options, (...result) => {
      if (socket instanceof Socket) connecting.delete(socket);
      if (result[1] !== null && !keepAlive) letGo(result[1]);
      callback(...result);
    });
    if (socket instanceof Socket) connecting.add(socket);
  };
  const options = { connect, maxHeaderSize, keepAliveTimeout, pipelining: 1, ...noTimeouts };
  return lastInFirstOut(
    () => new Client(origin, options),
    async (clients) => {
      const ended = clients.map((client) => client.destroy());
      // A client leaves sockets that are still connecting alone, until they time out.
      for (const socket of connecting) socket.destroy(new Error("The upstream was closed"));
      await Promise.all(ended);
    },
  );
}

function proxied(uri: string, { connectTimeoutMs, tls }: Settled): Connections {
  const agent = new ProxyAgent({
    uri,
    requestTls: { ...tls, allowH2: false },
    proxyTls: { ...tls, allowH2: false },
    allowH2: false,
    connectTimeout: connectTimeoutMs,
    maxHeaderSize,
    keepAliveTimeout,
    ...noTimeouts,
  });
  return lastInFirstOut(
    () => agent,
    () => agent.destroy(),
  );
}

/** Few connections stay warm and the rest may time out. undici's own `Pool` looks through all of them for each call. */
function lastInFirstOut(open: () => Dispatcher, close: (opened: Dispatcher[]) => Promise<void>): Connections {
  const all: Connection[] = [];
  const free: Connection[] = [];
  return {
    all,
    take() {
      const warm = free.pop();
      if (warm !== undefined) return warm;
      const connection: Connection = { dispatcher: open(), call: null };
      all.push(connection);
      return connection;
    },
    give(connection) {
      connection.call = null;
      free.push(connection);
    },
    close: () => close(all.map(({ dispatcher }) => dispatcher)),
  };
}

/** undici holds the process for a running call by `ref`; this socket does not. */
function letGo(socket: Socket): void {
  socket.unref();
  socket.ref = () => socket;
}

type Trust = { ca?: string[] };

/** `NODE_EXTRA_CA_CERTS` is Node's own affair; what the others name is trusted beside the defaults. */
function trusted({ env, caFile }: ConnectionOptions): Trust {
  const named = [
    { path: env.SSL_CERT_FILE, by: "SSL_CERT_FILE" },
    { path: caFile, by: "ca_file" },
  ];
  const own = named.flatMap(({ path, by }) => (path ? [certificates(path, by)] : []));
  return own.length === 0 ? {} : { ca: [...getCACertificates("default"), ...own] };
}

function certificates(path: string, by: string): string {
  const refuse = (reason: string, cause?: unknown) =>
    new NerifError("invalid_configuration", `Cannot use the certificates that ${by} names: ${reason}`, {
      cause,
    });
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw refuse("the file cannot be read", cause);
  }
  // Node passes over a file that holds none, and every connection would fail later.
  if (!text.includes("-----BEGIN")) throw refuse("the file holds none in PEM form");
  return text;
}
