import { expect } from "vitest";
import { createOutboxFixture } from "../../support/outbox.ts";
import { startWebhookReceiver } from "../../support/webhook-receiver.ts";
import { endpointParams } from "../endpoint-steps.ts";
import type { Row } from "../row.ts";
import type { EndpointObject, Sdk } from "../sdk/sdk.ts";
import { lines, refusal, run, start, untilFinal } from "../steps.ts";

/** What Nerif delivers to webhook endpoints. */
export const deliveryRows: Row[] = [
  {
    section: "11.1",
    title:
      "`batch.completed`, `batch.failed`, `batch.expired` and `batch.cancelled`: one event for each batch that ends, none on the way",
    needs: "webhooks.create",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const { received, endpoint } = await receive(sdk);
      const expired = await run(sdk, lines(1), { completion_window: "2s" });
      const failed = await run(sdk, `${lines(1)}nonsense\n`);
      const { id } = await start(sdk);
      await sdk.batches.cancel(id);
      await untilFinal(sdk, id);
      const events = await eventsOf([expired.id, failed.id, id], received);
      await sdk.webhooks.delete(endpoint.id);
      const seen = events.map(({ type, data }) => [type, data.id]);
      expect(seen.sort()).toEqual(
        [
          ["batch.expired", expired.id],
          ["batch.failed", failed.id],
          ["batch.cancelled", id],
        ].sort(),
      );
    },
  },
  {
    section: "11.1",
    title:
      "The payload is `object`, `id`, `type`, `created_at` and `data.id`, and `created_at` is the moment of the transition",
    needs: "webhooks.create",
    async check({ on }) {
      const { sdk } = await on("hooked");
      const { batch, request } = await delivered(sdk);
      expect(JSON.parse(request.body)).toEqual({
        object: "event",
        id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
        type: "batch.completed",
        created_at: batch.completed_at,
        data: { id: batch.id },
      });
    },
  },
  {
    section: "11.1",
    title: "A receiver finds the batch by `data.id`, final",
    needs: "webhooks.create",
    async check({ on }) {
      const { sdk } = await on("hooked");
      const { request } = await delivered(sdk);
      const { data } = JSON.parse(request.body) as Event;
      expect(await sdk.batches.retrieve(data.id)).toMatchObject({ status: "completed" });
    },
  },
  {
    section: "11.1",
    title: "A delivery is a `POST` with `content-type: application/json`",
    needs: "webhooks.create",
    async check({ on }) {
      const { sdk } = await on("hooked");
      const { request } = await delivered(sdk);
      expect(request).toMatchObject({ method: "POST", headers: { "content-type": "application/json" } });
    },
  },
  {
    section: "11.1",
    title: "`user-agent: OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)`",
    difference: "`Nerif/<version> (+webhooks)`: it is not OpenAI that sends",
    needs: "webhooks.create",
    async check({ on }) {
      const { sdk } = await on("hooked");
      const { request } = await delivered(sdk);
      expect(request.headers["user-agent"]).toMatch(/^Nerif\/\d/);
    },
  },
  {
    section: "11.1",
    title:
      "`webhook-id` is `wh_…`, another than the event's id, `webhook-timestamp` is now, `webhook-signature` is `v1,<base64>`",
    needs: "webhooks.create",
    async check({ on }) {
      const { sdk } = await on("hooked");
      const { request } = await delivered(sdk);
      expect(request.headers).toMatchObject({
        "webhook-id": expect.stringMatching(/^wh_[0-9a-f]{32}$/),
        "webhook-signature": expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
      });
      expect(Math.abs(Number(request.headers["webhook-timestamp"]) - Date.now() / 1_000)).toBeLessThan(60);
    },
  },
  {
    section: "11.1",
    title: "`unwrap` verifies what Nerif delivers, with the secret of the endpoint",
    needs: "webhooks.create",
    async check({ on }) {
      const { sdk } = await on("hooked");
      const { batch, request, secret } = await delivered(sdk);
      const other = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
      const { body, headers } = request;
      expect(await sdk.webhooks.unwrap({ body, headers, secret })).toMatchObject({
        type: "batch.completed",
        data: { id: batch.id },
      });
      expect(await refusal(sdk.webhooks.unwrap({ body, headers, secret: other }))).toMatchObject({
        className: "InvalidWebhookSignatureError",
      });
    },
  },
  {
    section: "11.1",
    title:
      "A delivery that fails comes again with the same `webhook-id`, stamped and signed anew; any 2xx takes it",
    needs: "webhooks.create",
    async check({ on }) {
      const { sdk } = await on("hooked");
      const receiver = await startWebhookReceiver({ answers: [500, 202] });
      const endpoint = await create(sdk, receiver.url);
      await run(sdk);
      const [first, second] = await receiver.until(2);
      await sdk.webhooks.delete(endpoint.id);
      expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
      expect(Number(second?.headers["webhook-timestamp"])).toBeGreaterThan(
        Number(first?.headers["webhook-timestamp"]),
      );
      const signed = endpoint.signing_secret ?? "";
      for (const request of [first, second]) {
        const sent = { body: request?.body ?? "", headers: request?.headers ?? {}, secret: signed };
        expect(await sdk.webhooks.unwrap(sent)).toMatchObject({ type: "batch.completed" });
      }
      expect(receiver.received).toHaveLength(2);
    },
  },
  {
    section: "11.1",
    title: "3xx, other statuses and answers that do not come are failures; redirects are not followed",
    async check() {
      const fixture = await createOutboxFixture({ timeoutMs: 300 });
      const target = await startWebhookReceiver();
      const answers = [{ redirect: target.url }, 404, "hang" as const, "reset" as const, 204];
      const receiver = await startWebhookReceiver({ answers });
      await fixture.addEndpoint(receiver.url);
      await fixture.endBatch();
      for (const failures of [1, 2, 3, 4]) {
        const [waiting] = await fixture.until(([one]) => one?.attempts === failures);
        fixture.clock.advance((waiting?.due_at ?? 0) * 1_000 - fixture.clock.now());
      }
      await fixture.until((waiting) => waiting.length === 0);
      expect(receiver.received).toHaveLength(5);
      expect(target.received).toEqual([]);
    },
  },
  {
    section: "11.1",
    title: "Tries go on with exponential backoff for 72 h",
    async check() {
      const fixture = await createOutboxFixture();
      const receiver = await startWebhookReceiver({ answers: [503] });
      await fixture.addEndpoint(receiver.url);
      const from = fixture.clock.now();
      await fixture.endBatch();
      const waits: number[] = [];
      while (fixture.clock.now() < from + 72 * 3_600_000) {
        const [waiting] = await fixture.until(([one]) => one?.attempts === waits.length + 1);
        waits.push((waiting?.due_at ?? 0) * 1_000 - fixture.clock.now());
        fixture.clock.advance(waits.at(-1) ?? 0);
      }
      await fixture.until((waiting) => waiting.length === 0);
      expect(waits.slice(0, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
      expect(receiver.received).toHaveLength(waits.length + 1);
    },
  },
  {
    section: "11.1",
    title: "How long a receiver may take, the schedule, when an endpoint is given up, how many there may be",
    difference: "Not public at OpenAI; 10 s, from 5 s up to an hour, never, and 20 per project",
  },
  {
    section: "11.1",
    title: "The signing secret is shown at creation and at rotation only",
    needs: "webhooks.create",
    async check({ sdk }) {
      const endpoint = await create(sdk, "https://hooks.example.net/");
      expect(endpoint.signing_secret).toMatch(/^whsec_/);
      for (const shown of [
        await sdk.webhooks.retrieve(endpoint.id),
        ...(await sdk.webhooks.list()).data,
        await sdk.webhooks.update(endpoint.id, { name: "other" }),
      ]) {
        expect(shown).not.toHaveProperty("signing_secret");
      }
      expect((await sdk.webhooks.rotateSecret(endpoint.id)).signing_secret).toMatch(/^whsec_/);
      await sdk.webhooks.delete(endpoint.id);
    },
  },
];

interface Event {
  type: string;
  data: { id: string };
}

function create(sdk: Sdk, url: string): Promise<EndpointObject> {
  return sdk.webhooks.create({ ...endpointParams, url });
}

/** The events of these batches; those of others may come as well. */
async function eventsOf(
  ids: string[],
  received: (count: number) => Promise<{ body: string }[]>,
): Promise<Event[]> {
  for (let count = ids.length; ; count += 1) {
    const events = (await received(count)).map(({ body }) => JSON.parse(body) as Event);
    const wanted = events.filter(({ data }) => ids.includes(data.id));
    if (wanted.length === ids.length) return wanted;
  }
}

/** An endpoint whose receiver takes everything. */
async function receive(sdk: Sdk) {
  const receiver = await startWebhookReceiver();
  return { received: receiver.until, endpoint: await create(sdk, receiver.url) };
}

/** What a new endpoint is told of a batch that runs to its end. */
async function delivered(sdk: Sdk) {
  const { received, endpoint } = await receive(sdk);
  const batch = await run(sdk);
  const [request] = await received(1);
  await sdk.webhooks.delete(endpoint.id);
  if (request === undefined) throw new Error("Nothing was delivered");
  return { batch, request, secret: endpoint.signing_secret ?? "" };
}
