import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface ReceivedWebhook {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

/** What a receiver does with a request: answers with a status, never answers, breaks the connection, or sends it elsewhere. */
export type Answer = number | "hang" | "reset" | { redirect: string };

export interface WebhookReceiver {
  /** `http://127.0.0.1:12345/hook` */
  url: string;
  port: number;
  received: ReceivedWebhook[];
  /** Answers of the next requests, in turn; the last one stays. */
  answers: Answer[];
  /** Resolves when `count` requests have arrived since the beginning. */
  until(count: number): Promise<ReceivedWebhook[]>;
  close(): Promise<void>;
}

/** A server on this machine that receives webhooks. */
export async function startWebhookReceiver({
  answers = [204],
  port = 0,
}: {
  answers?: Answer[];
  port?: number;
} = {}): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = [];
  const waiting = new Set<() => void>();
  const server = createServer(async (incoming, outgoing) => {
    const body = await textOf(incoming);
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
    );
    received.push({ method: incoming.method ?? "", path: incoming.url ?? "", headers, body });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    give(answer ?? 204, outgoing);
    for (const look of [...waiting]) look();
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as AddressInfo;
  const close = () => closeServer(server);
  onTestFinished(close);
  return {
    url: `http://127.0.0.1:${address.port}/hook`,
    port: address.port,
    received,
    answers,
    until: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (received.length < count) return;
          waiting.delete(look);
          resolve(received);
        };
        waiting.add(look);
        look();
      }),
    close,
  };
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function give(answer: Answer, outgoing: ServerResponse): void {
  if (answer === "hang") return;
  if (answer === "reset") {
    outgoing.socket?.resetAndDestroy();
    return;
  }
  if (typeof answer === "number") outgoing.writeHead(answer).end();
  else outgoing.writeHead(307, { location: answer.redirect }).end();
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
