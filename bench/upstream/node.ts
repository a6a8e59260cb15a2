import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { answers } from "./answers.ts";
import type { Upstream } from "./upstream.ts";

/** Stands in for nginx where that is not installed. */
export async function startNode(): Promise<Upstream> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [origin] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return {
    name: `a small server on Node ${process.version}`,
    url: (delayMs) => `${origin}/${delayMs}/v1`,
    stop: () => child.stdin.end(),
  };
}

export interface Listening {
  /** `http://127.0.0.1:12345` */
  origin: string;
  close(): void;
}

/**
 * Listens in this process. Of HTTP it reads only what it needs to find the end of a request.
 *
 * @param onCall told of each call when it has come in whole
 */
export async function listen(onCall: () => void = () => {}): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serve(socket, onCall);
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 16_384 });
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const headEnd = Buffer.from("\r\n\r\n");
const responses = { chat: responseOf(answers.chat), embedding: responseOf(answers.embedding) };

function serve(socket: Socket, onCall: () => void): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      const end = pending.indexOf(headEnd);
      if (end === -1) return;
      const head = pending.toString("latin1", 0, end);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      const next = end + headEnd.length + length;
      if (pending.length < next) return;
      pending = pending.subarray(next);
      onCall();
      const [, delay = "0", endpoint] = /^\S+ \/(\d+)\/v1\/(\w+)/.exec(head) ?? [];
      const response = endpoint === "embeddings" ? responses.embedding : responses.chat;
      if (delay === "0") socket.write(response);
      else setTimeout(() => socket.write(response), Number(delay));
    }
  });
}

function responseOf(answer: string): Buffer {
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(answer)}`;
  return Buffer.from(`${head}\r\n\r\n${answer}`);
}
