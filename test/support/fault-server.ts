import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";

/** A request as it came over the wire. */
export interface FaultyRequest {
  mode: string;
  method: string;
  path: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: Buffer;
  /** Counts connections from 1, so that re-use can be seen. */
  connection: number;
}

/** What a script decides about one request. */
export interface Scripted {
  mode: FaultMode | "ok";
  /** Sent with the answer of a status mode. */
  headers?: Record<string, string>;
  /** What the modes answer that answer at all. Default `goodAnswer`. */
  good?: Buffer;
}

export interface FaultServerOptions {
  /** Sent with every answer to a status mode. */
  headers?: Record<string, string>;
  /** Decides in place of the path, and is shown the connection. Requests are not kept then. */
  script?: (request: FaultyRequest, socket: Socket) => Scripted;
}

/** A model server that misbehaves: the first part of the path says how, unless a script does. */
export interface FaultServer {
  /** Base URL of an upstream that fails in this way. */
  url(mode: FaultMode | "ok"): string;
  readonly requests: readonly FaultyRequest[];
  /** Connections that are open now. */
  connections(): number;
  /** Resolves once no connection is open. */
  idle(): Promise<void>;
  /** Resets every open connection, as a server does that is restarted. */
  resetAll(): void;
  /** Refuses new connections until `listen` resolves. */
  refuse(): void;
  listen(): Promise<void>;
  close(): Promise<void>;
}

export const goodAnswer = {
  id: "chatcmpl-1",
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content: "fine" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
};

/** Longer than a socket's buffers, so that what is not read stays with the server. */
const endless = Buffer.alloc(256 * 1024, 0x20);
/** More than an answer may have. */
const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024, 0x20));
const usual = Buffer.from(JSON.stringify(goodAnswer));

type Fault = (socket: Socket, request: FaultyRequest & { good: Buffer }) => void;

/** Each writes what it has to say to the socket; what it leaves open stays open. */
const faults = {
  rst_before_answer: (socket) => void socket.resetAndDestroy(),
  rst_in_body(socket) {
    socket.write(head(200, { "content-length": "1000" }));
    socket.write('{"id":', () => socket.resetAndDestroy());
  },
  fin_before_answer: (socket) => void socket.end(),
  hang() {},
  /** Answers the call with the key `first` and hangs on others. */
  answers_first(socket, { headers, good }) {
    if (headers["idempotency-key"] === "first") reply(socket, 200, good);
  },
  slow_drip(socket) {
    socket.write(`${head(200, { "content-length": "1000000" })}{`);
    const timer = setInterval(() => socket.write(" "), 5);
    socket.on("close", () => clearInterval(timer));
  },
  cut_chunked: (socket) => void socket.end(`${head(200, { "transfer-encoding": "chunked" })}5\r\n{"id"\r\n`),
  short_content_length: (socket) => void socket.end(`${head(200, { "content-length": "1000" })}{}`),
  bad_chunk: (socket) => void socket.write(`${head(200, { "transfer-encoding": "chunked" })}xyz\r\n{}\r\n`),
  not_http: (socket) => void socket.write("SSH-2.0-OpenSSH_9.2p1\r\n\r\n"),
  html: (socket) =>
    reply(socket, 200, "<html><body>It works!</body></html>", { "content-type": "text/html" }),
  bad_gateway: (socket) =>
    reply(socket, 502, "<html>502 Bad Gateway</html>", { "content-type": "text/html" }),
  large_headers: (socket, { good }) => reply(socket, 200, good, { "x-filler": "x".repeat(20 * 1024) }),
  huge_headers: (socket, { good }) => reply(socket, 200, good, { "x-filler": "x".repeat(100 * 1024) }),
  endless_body(socket) {
    socket.write(head(200, { "transfer-encoding": "chunked" }));
    const more = () => {
      while (socket.writable && socket.write(chunk(endless)));
    };
    socket.on("drain", more);
    more();
  },
  tiny_chunks(socket, { good }) {
    const text = [...good].map((byte) => chunk(Buffer.of(byte)).toString("latin1")).join("");
    socket.write(`${head(200, { "transfer-encoding": "chunked" })}${text}0\r\n\r\n`);
  },
  announced_too_large: (socket) => void socket.write(head(200, { "content-length": "99999999999" })),
  gzip_bomb: (socket) => reply(socket, 200, bomb, { "content-encoding": "gzip" }),
  damaged_gzip: (socket, { good }) =>
    reply(socket, 200, gzipSync(good).subarray(0, 40), { "content-encoding": "gzip" }),
  wrong_content_type: (socket, { good }) => reply(socket, 200, good, { "content-type": "text/plain" }),
  invalid_utf8: (socket) =>
    reply(socket, 200, Buffer.concat([Buffer.from('{"text":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')])),
  error_in_200: (socket) => reply(socket, 200, '{"error":{"message":"no such thing","code":"bad_thing"}}'),
  redirect: (socket, { path }) => reply(socket, 307, "", { location: path.replace("redirect", "ok") }),
  early_hints(socket, { good }) {
    socket.write("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n");
    reply(socket, 200, good);
  },
  unknown_encoding: (socket, { good }) => reply(socket, 200, good, { "content-encoding": "rot13" }),
  gzip: (socket, { good }) => reply(socket, 200, gzipSync(good), { "content-encoding": "gzip" }),
  deflate: (socket, { good }) => reply(socket, 200, deflateSync(good), { "content-encoding": "deflate" }),
  raw_deflate: (socket, { good }) =>
    reply(socket, 200, deflateRawSync(good), { "content-encoding": "deflate" }),
  br: (socket, { good }) => reply(socket, 200, brotliCompressSync(good), { "content-encoding": "br" }),
  zstd: (socket, { good }) => reply(socket, 200, zstdCompressSync(good), { "content-encoding": "zstd" }),
  /** Sends back, as text inside JSON, every header that it got. */
  echo_headers: (socket, { headers }) =>
    reply(socket, 200, JSON.stringify({ choices: [], echo: headers }), {
      "x-request-id": headers.authorization ?? "",
    }),
  echo_headers_400: (socket, { headers }) =>
    reply(
      socket,
      400,
      JSON.stringify({ error: { message: `Bad header ${headers.authorization}`, echo: headers } }),
    ),
  echo_headers_401: (socket, { headers }) =>
    reply(
      socket,
      401,
      JSON.stringify({ error: { message: `Bad key ${headers.authorization}`, code: "invalid_api_key" } }),
    ),
  echo_headers_text: (socket, { headers }) => reply(socket, 500, `Bad header ${headers.authorization}`),
  close_after_answer: (socket, { good }) => {
    socket.end(`${head(200, { "content-length": String(good.length), connection: "close" })}${good}`);
  },
} satisfies Record<string, Fault>;

/** A way to fail, or a status as number: `429` answers so with an error of OpenAI's form. */
export type FaultMode = keyof typeof faults | `${number}`;

export const faultModes = Object.keys(faults) as (keyof typeof faults)[];

export async function startFaultServer(options: FaultServerOptions = {}): Promise<FaultServer> {
  const requests: FaultyRequest[] = [];
  const open = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    const connection = ++count;
    open.add(socket);
    socket.on("close", () => {
      open.delete(socket);
      server.emit("gone");
    });
    socket.on("error", () => {});
    readRequests(socket, (read) => {
      const request = { ...read, connection };
      const { script } = options;
      if (script === undefined) requests.push(request);
      const scripted = script?.(request, socket) ?? { mode: request.mode };
      answer(socket, request, { headers: options.headers ?? {}, good: usual, ...scripted });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: (mode) => `http://127.0.0.1:${port}/${mode}/v1`,
    requests,
    connections: () => open.size,
    async idle() {
      while (open.size > 0) await once(server, "gone");
    },
    resetAll() {
      for (const socket of open) socket.resetAndDestroy();
    },
    refuse: () => void server.close(),
    async listen() {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(
  socket: Socket,
  request: FaultyRequest,
  { mode, headers, good }: { mode: string; headers: Record<string, string>; good: Buffer },
): void {
  if (Object.hasOwn(faults, mode)) faults[mode as keyof typeof faults](socket, { ...request, good });
  else if (mode === "ok") reply(socket, 200, good, headers);
  else reply(socket, Number(mode), `{"error":{"message":"status ${mode}","type":"t","code":null}}`, headers);
}

/** A port on loopback that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Requests with a `content-length` or without a body, one after the other. */
function readRequests(socket: Socket, onRequest: (request: Omit<FaultyRequest, "connection">) => void): void {
  let had: Buffer = Buffer.alloc(0);
  socket.on("data", (bytes) => {
    had = Buffer.concat([had, bytes as Buffer]);
    for (;;) {
      const end = had.indexOf("\r\n\r\n");
      if (end === -1) return;
      const [first = "", ...lines] = had.toString("latin1", 0, end).split("\r\n");
      const headers: Record<string, string> = {};
      for (const line of lines) {
        const colon = line.indexOf(":");
        headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
      }
      const next = end + 4 + Number(headers["content-length"] ?? 0);
      if (had.length < next) return;
      const body = had.subarray(end + 4, next);
      had = had.subarray(next);
      const [method = "", path = ""] = first.split(" ");
      onRequest({ mode: path.split("/")[1] ?? "", method, path, headers, body });
    }
  });
}

function reply(
  socket: Socket,
  status: number,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  const bytes = Buffer.from(body);
  const all = { "content-type": "application/json", ...headers, "content-length": String(bytes.length) };
  socket.write(Buffer.concat([Buffer.from(head(status, all), "latin1"), bytes]));
}

function head(status: number, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Some Words\r\n${lines.join("")}\r\n`;
}

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}
