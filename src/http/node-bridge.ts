import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { NerifError } from "../batch/errors.ts";
import { free, giveAway } from "../service/owned-bytes.ts";
import { errorResponse } from "./error-response.ts";
import { newRequestId } from "./request-id.ts";

export type Handler = (request: Request) => Response | Promise<Response>;

type NodeListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;
type BridgeCallback = Parameters<typeof getRequestListener>[0];

/** In milliseconds. */
export interface BodyTimes {
  /** Longest pause inside a body that is being read. */
  bodyIdleMs: number;
  /** How long a client may go on sending a body after it got its answer. */
  lingerMs: number;
}

/** Lets Node's HTTP server answer through a handler of web requests. */
export function createListener(
  handler: Handler,
  { hostname, ...times }: BodyTimes & { hostname: string },
): NodeListener {
  const answer = async (request: Request, { incoming, outgoing }: HttpBindings) => {
    // Also of a GET, which may have a body that nobody reads.
    const body = takeBody({ incoming, outgoing }, times);
    outgoing.once("close", body.release);
    // Node reads nothing more on a connection that was asked to become another protocol's.
    if (incoming.headers.upgrade !== undefined) outgoing.shouldKeepAlive = false;
    // With two, a proxy may have decided by the other one.
    if (incoming.headersDistinct.host?.length !== 1)
      return refuseUnreadable(new Error("There is not one Host"));
    if (request.method === "GET" || request.method === "HEAD") return send(await handler(request), outgoing);
    const { method, headers, signal } = request;
    const init = { method, headers, signal, body: body.stream, duplex: "half" } as const;
    return send(await handler(new Request(request.url, init)), outgoing);
  };
  const listener = getRequestListener(answer as BridgeCallback, {
    hostname,
    overrideGlobalObjects: false,
    // The bridge would cut a client off that still sends when it gets its answer.
    autoCleanupIncoming: false,
    errorHandler: refuseUnreadable,
  });
  return (incoming, outgoing) => void listener(incoming, outgoing);
}

/**
 * The body of a request with the socket's own chunks: the bridge would copy each of them. A client that waits to be
 * asked for it (`Expect: 100-continue`) is asked by the first read. `release` reads what nobody asked for, since many
 * clients look at the answer only when they have sent everything.
 */
function takeBody(
  { incoming, outgoing }: Pick<HttpBindings, "incoming"> & { outgoing: ServerResponse },
  { bodyIdleMs, lingerMs }: BodyTimes,
): { stream: ReadableStream<Uint8Array>; release: () => void } {
  let chunks: AsyncIterator<Buffer> | null = null;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (chunks === null && incoming.headers.expect !== undefined) outgoing.writeContinue();
        chunks ??= incoming.iterator({ destroyOnReturn: false });
        const giveUp = setTimeout(() => incoming.socket.destroy(), bodyIdleMs);
        const { done, value } = await chunks.next().finally(() => clearTimeout(giveUp));
        if (done) controller.close();
        else {
          giveAway(value);
          controller.enqueue(new Uint8Array(value.buffer, value.byteOffset, value.length));
        }
      },
    },
    { highWaterMark: 0 },
  );

  async function drain(): Promise<void> {
    // What ends the reading of a broken connection has been told to the reader.
    await chunks?.return?.().catch(() => {});
    incoming.resume();
  }

  return {
    stream,
    release() {
      if (incoming.complete || incoming.destroyed) return;
      const timer = setTimeout(() => incoming.socket.destroy(), lingerMs).unref();
      incoming.once("close", () => clearTimeout(timer));
      void drain();
    },
  };
}

/** Sends bodies of unknown length itself: the bridge would print an error for each that breaks off. */
async function send(response: Response, outgoing: ServerResponse): Promise<Response> {
  if (response.body === null || response.headers.get("content-type") === "application/json") {
    return response;
  }
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  // The first result may be long in coming; the client shall know at once that it will.
  outgoing.flushHeaders();
  try {
    await pipeline(Readable.fromWeb(response.body as ReadableStream), sink(outgoing));
  } catch {
    // The connection is gone: the client broke it off, or sees by that that the body is not whole. Whoever made
    // the body has told why.
  }
  return RESPONSE_ALREADY_SENT;
}

/** Frees what was given away with the body as soon as it is sent, and ends when the client is gone. */
function sink(outgoing: ServerResponse): Writable {
  const writable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      outgoing.write(chunk, (error) => {
        free(chunk.buffer);
        done(error);
      });
    },
    final: (done) => void outgoing.end(done),
    destroy(error, done) {
      if (error !== null) outgoing.destroy();
      done(error);
    },
  });
  outgoing.once("close", () => writable.destroy());
  return writable;
}

/** The bridge itself refuses what is no request, such as a Host that is no host name. */
function refuseUnreadable(cause: unknown): Response {
  const message = "Cannot read the request: its target or Host is malformed";
  const response = errorResponse(new NerifError("invalid_request", message, { cause }));
  response.headers.set("x-request-id", newRequestId());
  return response;
}
