import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { BatchObject } from "../../../src/batch/batch.ts";
import { isFinal } from "../../../src/batch/lifecycle.ts";
import { type WebhookEvent, webhookEventTypes } from "../../../src/batch/webhook.ts";
import type { ServeWorld } from "./serve-world.ts";

/** A receiver of webhooks that outlives what is killed, and remembers what it was told. */
export interface EventReceiver extends AsyncDisposable {
  /** Makes the world's server tell it of every end, and adds to the checks of the world that it does (I8). */
  subscribe(world: ServeWorld): Promise<void>;
  /** From now on it takes all that comes. */
  recover(): void;
  counts(): Record<string, number>;
}

interface Delivery {
  /** Of the `webhook-id` header. */
  id: string;
  event: WebhookEvent;
  body: string;
  taken: boolean;
}

/** Longer than two waits after a failed delivery. */
const patienceMs = 60_000;

/** @param random decides which deliveries fail, until `recover` */
export async function startEventReceiver(random: () => number): Promise<EventReceiver> {
  const deliveries: Delivery[] = [];
  const violations: string[] = [];
  let secret = "";
  let fails = true;

  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const {
      "webhook-id": id = "",
      "webhook-timestamp": time = "",
      "webhook-signature": signed = "",
    } = request.headers;
    const key = Buffer.from(secret.replace("whsec_", ""), "base64");
    const signature = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest("base64");
    if (!String(signed).split(" ").includes(`v1,${signature}`)) {
      violations.push(`I8 an event is not signed as it should be: ${body}`);
    }
    // So that kills hit it on its way as well.
    await sleep(random() * 60);
    const luck = fails ? random() : 1;
    deliveries.push({ id: String(id), event: JSON.parse(body) as WebhookEvent, body, taken: luck >= 0.1 });
    if (luck < 0.04) request.socket.resetAndDestroy();
    else response.writeHead(luck < 0.1 ? 500 : 204).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  async function check(batches: readonly BatchObject[]): Promise<string[]> {
    const ended = batches.filter(({ status }) => isFinal(status));
    const told = (id: string) => deliveries.some(({ event, taken }) => taken && event.data.id === id);
    const until = Date.now() + patienceMs;
    while (!ended.every(({ id }) => told(id)) && Date.now() < until) await sleep(50);
    return [...violations.splice(0), ...ended.flatMap(checkBatch), ...strangers(batches)];
  }

  function checkBatch({ id, status }: BatchObject): string[] {
    const of = deliveries.filter(({ event }) => event.data.id === id);
    if (!of.some(({ taken }) => taken)) return [`I8 nobody was told of ${id} (${status})`];
    const wrong = of.filter(({ event }) => event.type !== `batch.${status}`).map(({ event }) => event.type);
    const [ids, bodies] = [new Set(of.map((one) => one.id)), new Set(of.map(({ body }) => body))];
    return [
      ...wrong.map((type) => `I8 ${type} was told of ${id}, which is ${status}`),
      ...(ids.size > 1 ? [`I8 ${id} has ${ids.size} webhook ids`] : []),
      ...(bodies.size > 1 ? [`I8 the event of ${id} has changed`] : []),
    ];
  }

  function strangers(batches: readonly BatchObject[]): string[] {
    const known = new Set(batches.filter(({ status }) => isFinal(status)).map(({ id }) => id));
    const unknown = new Set(deliveries.map(({ event }) => event.data.id).filter((id) => !known.has(id)));
    return [...unknown].map((id) => `I8 an event came of ${id}, which has not ended`);
  }

  return {
    async subscribe({ server: { ask }, checks }) {
      checks.push(check);
      const params = { name: "receiver", url: `http://127.0.0.1:${port}/`, event_types: webhookEventTypes };
      const answer = await ask("/v1/webhook_endpoints", { method: "POST", body: JSON.stringify(params) });
      const made = (await answer.json()) as { signing_secret?: string };
      if (made.signing_secret === undefined) throw new Error(`No webhook endpoint: ${JSON.stringify(made)}`);
      secret = made.signing_secret;
    },
    recover() {
      fails = false;
    },
    counts: () => ({
      "events delivered": deliveries.filter(({ taken }) => taken).length,
      "events told of": new Set(deliveries.map(({ id }) => id)).size,
    }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
