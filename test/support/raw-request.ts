import type { FuzzCase } from "./fuzz-cases.ts";
import { exchange, statuses } from "./raw-http.ts";

/**
 * Sends a request as its very bytes, which no HTTP client would do for paths like these, and resolves with the
 * status of the answer; null when the server closed the connection without one.
 */
export async function rawRequest(
  port: number,
  { method, path, headers = {}, body }: FuzzCase,
): Promise<number | null> {
  const lines = Object.entries(headers).map(([name, text]) => `${name}: ${text}\r\n`);
  const length = body === undefined ? "" : `content-length: ${body.length}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines.join("")}${length}connection: close\r\n\r\n`;
  const [status] = statuses(await exchange(port, Buffer.from(head, "latin1"), body ?? ""));
  return status === undefined ? null : Number(status);
}
