import { connect } from "node:net";
import type { FuzzCase } from "./fuzz-cases.ts";

/**
 * Sends a request as its very bytes, which no HTTP client would do for paths like these, and resolves with the
 * status of the answer; null when the server closed the connection without one.
 */
export function rawRequest(
  port: number,
  { method, path, headers = {}, body }: FuzzCase,
): Promise<number | null> {
  const lines = Object.entries(headers).map(([name, text]) => `${name}: ${text}\r\n`);
  const length = body === undefined ? "" : `content-length: ${body.length}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines.join("")}${length}connection: close\r\n\r\n`;
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const received: Buffer[] = [];
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(Buffer.from(head, "latin1"));
    if (body !== undefined) socket.write(body);
  });
  socket.on("data", (chunk) => received.push(chunk));
  // A server that refuses early may close while bytes are still on their way; what it said before that counts.
  socket.on("error", () => {});
  socket.on("close", () => {
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(Buffer.concat(received).toString("latin1")) ?? [];
    resolve(status === undefined ? null : Number(status));
  });
  return promise;
}
