import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import type { BatchObject } from "../../../src/batch/batch.ts";

/** A receiver of webhooks, which outlives the server that is killed. */
export interface Receiver extends AsyncDisposable {
  url: string;
  /** Without it no signature is right. */
  setSecret(secret: string): void;
  /** What breaks I8 for these batches, which have ended: no event, a wrong one, or more than one id. */
  check(ended: readonly BatchObject[]): string[];
  /** Events, repeats included. */
  count(): number;
}

interface Delivery {
  id: string;
  type: string;
  isSigned: boolean;
}

export async function startReceiver(random: () => number): Promise<Receiver> {
  const deliveries = new Map<string, Delivery[]>();
  let webhook: Webhook | null = null;
  let count = 0;
  const server = createServer(async (request, response) => {
    const body = await text(request);
    count += 1;
    // Now and then it fails although it has noted the event, and gets it again.
    response.writeHead(random() < 0.05 ? 503 : 204).end();
    const { type, data } = JSON.parse(body) as { type: string; data: { id: string } };
    const delivery = {
      id: String(request.headers["webhook-id"]),
      type,
      isSigned: isSigned(body, request.headers),
    };
    deliveries.set(data.id, [...(deliveries.get(data.id) ?? []), delivery]);
  });

  function isSigned(body: string, headers: NodeJS.Dict<string | string[]>): boolean {
    try {
      webhook?.verify(body, headers as Record<string, string>);
      return webhook !== null;
    } catch {
      return false;
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    setSecret(secret) {
      webhook = new Webhook(secret);
    },
    count: () => count,
    check: (ended) => ended.flatMap(({ id, status }) => wrong(deliveries.get(id) ?? [], { id, status })),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function wrong(got: readonly Delivery[], { id, status }: Pick<BatchObject, "id" | "status">): string[] {
  if (got.length === 0) return [`I8 ${id} is ${status}, and nobody was told`];
  const problems: string[] = [];
  if (got.some(({ isSigned }) => !isSigned)) problems.push(`I8 an event of ${id} has no right signature`);
  if (got.some(({ type }) => type !== `batch.${status}`))
    problems.push(`I8 ${id} is ${status}, and its event is not`);
  if (new Set(got.map((delivery) => delivery.id)).size > 1)
    problems.push(`I8 the event of ${id} has two ids`);
  return problems;
}
