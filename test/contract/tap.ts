import { once } from "node:events";
import { Agent, createServer, type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";
import type { Readable } from "node:stream";

/** One request as it came over the wire, and its answer. */
export interface Exchange {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingHttpHeaders;
  /** Its first mebibyte. */
  body: string;
  /** 0 until the answer has begun. */
  status: number;
  answerHeaders: IncomingHttpHeaders;
  /** Its first mebibyte. */
  answer: string;
  /** Whether the answer had more. */
  isCut: boolean;
}

export interface Tap {
  /** `http://127.0.0.1:12345` */
  url: string;
  /** Everything that went through, in order. */
  exchanges: Exchange[];
  /** Headers of answers that are kept from the client. */
  hidden: Set<string>;
  close(): Promise<void>;
}

const kept = 1024 * 1024;

/** Passes everything on to a server, byte for byte, and shows what the SDKs send and get. */
export async function openTap(target: string, seen: (exchange: Exchange) => void = () => {}): Promise<Tap> {
  const exchanges: Exchange[] = [];
  const hidden = new Set<string>();
  const agent = new Agent({ keepAlive: true });
  const server = createServer({ maxHeaderSize: 128 * 1024 }, (incoming, outgoing) => {
    const { method = "GET", url: path = "/", headers } = incoming;
    const exchange: Exchange = {
      ...{ method, path, headers, body: "" },
      ...{ status: 0, answerHeaders: {}, answer: "", isCut: false },
    };
    exchanges.push(exchange);
    keep(incoming, (text) => {
      exchange.body = text;
    });
    const passed = request(`${target}${path}`, { method, headers, agent, setHost: false }, (answer) => {
      exchange.status = answer.statusCode ?? 0;
      exchange.answerHeaders = answer.headers;
      keep(answer, (text, isCut) => {
        exchange.answer = text;
        exchange.isCut = isCut;
        seen(exchange);
      });
      const shown = Object.entries(answer.headers).filter(([name]) => !hidden.has(name));
      outgoing.writeHead(exchange.status, Object.fromEntries(shown));
      answer.pipe(outgoing);
    });
    // Whoever is left alone breaks off as well, as if the two were connected.
    passed.on("error", () => outgoing.destroy());
    incoming.on("error", () => passed.destroy());
    incoming.pipe(passed);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exchanges,
    hidden,
    async close() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
}

/** Tells the beginning of a stream when it has ended; listens before anything is passed on. */
function keep(stream: Readable, tell: (text: string, isCut: boolean) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    if (bytes < kept) chunks.push(chunk);
    bytes += chunk.length;
  });
  stream.on("end", () => tell(Buffer.concat(chunks).subarray(0, kept).toString(), bytes > kept));
}
