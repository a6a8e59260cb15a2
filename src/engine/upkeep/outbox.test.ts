import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { aWebhookEndpoint } from "../../../test/support/control-rows.ts";
import { createEngineFixture, requestLines } from "../../../test/support/engine.ts";
import { createOutboxFixture, type OutboxFixture } from "../../../test/support/outbox.ts";
import { createScriptedUpstream, echo } from "../../../test/support/scripted-upstream.ts";
import { type ReceivedWebhook, startWebhookReceiver } from "../../../test/support/webhook-receiver.ts";
import type { BatchStatus } from "../../batch/batch.ts";
import { createHttpSender } from "../../webhooks/http.ts";

const { webhooks } = new OpenAI({ apiKey: "unused" });
const forever = 10 ** 9;

/** What the SDK makes of a request; it throws when the secret did not sign it. */
function unwrap({ body, headers }: ReceivedWebhook, secret: string) {
  return webhooks.unwrap(body, headers, secret, forever);
}

/** Waits until the one delivery has failed `attempts` times, and then for the time of its next try. */
async function nextTry({ until, clock }: OutboxFixture, attempts: number): Promise<number> {
  const [delivery] = await until(([one]) => one?.attempts === attempts);
  const ms = (delivery?.due_at ?? 0) * 1_000 - clock.now();
  clock.advance(ms);
  return ms / 1_000;
}

describe("createOutbox()", () => {
  it("delivers an event at once and forgets it", async () => {
    const fixture = await createOutboxFixture();
    const receiver = await startWebhookReceiver();
    const { secret } = await fixture.addEndpoint(receiver.url);
    const event = await fixture.endBatch();
    await fixture.until((waiting) => waiting.length === 0);
    expect(receiver.received).toHaveLength(1);
    const [request] = await receiver.until(1);
    expect(await unwrap(request as ReceivedWebhook, secret)).toEqual(event);
    expect(request?.headers["webhook-id"]).not.toBe(event.id);
  });

  it("tries again under the same id, signed anew, when the receiver fails, breaks off, redirects or hangs", async () => {
    const fixture = await createOutboxFixture({ timeoutMs: 500 });
    const target = await startWebhookReceiver();
    const answers = [500, "reset" as const, { redirect: target.url }, "hang" as const, 404, 202];
    const receiver = await startWebhookReceiver({ answers });
    const { secret } = await fixture.addEndpoint(receiver.url);
    const event = await fixture.endBatch();
    const delays = [];
    for (const failures of [1, 2, 3, 4, 5]) delays.push(await nextTry(fixture, failures));
    await fixture.until((waiting) => waiting.length === 0);

    expect(delays).toEqual([5, 10, 20, 40, 80]);
    const { received } = receiver;
    expect(received).toHaveLength(6);
    expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
    const times = received.map(({ headers }) => Number(headers["webhook-timestamp"]) - event.created_at);
    expect(times).toEqual([0, 5, 15, 35, 75, 155]);
    for (const request of received) expect(await unwrap(request, secret)).toEqual(event);
    expect(target.received).toEqual([]);
  });

  it("gives up after 72 hours, at most about an hour apart, and says so without the URL", async () => {
    const fixture = await createOutboxFixture();
    const receiver = await startWebhookReceiver({ answers: [503] });
    const endpoint = await fixture.addEndpoint(`${receiver.url}?token=hush`);
    const event = await fixture.endBatch();
    const delays: number[] = [];
    const sum = () => delays.reduce((all, delay) => all + delay, 0);
    while (sum() < 72 * 3_600) delays.push(await nextTry(fixture, delays.length + 1));
    await fixture.until((waiting) => waiting.length === 0);

    expect(sum()).toBe(72 * 3_600);
    expect(delays.slice(0, 11)).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600]);
    expect(Math.max(...delays)).toBe(3_600);
    expect(receiver.received).toHaveLength(delays.length + 1);
    expect(fixture.logged.at(-1)).toMatchObject({
      fields: { endpoint: endpoint.id, batch: event.data.id, attempts: delays.length + 1 },
      message: "Gave up telling a webhook endpoint of a batch after 72 hours: it answered 503",
    });
    expect(JSON.stringify(fixture.logged)).not.toMatch(/hush|whsec_/);
  });

  it("signs with both secrets until a rotation's overlap ends, and then with the new one only", async () => {
    const fixture = await createOutboxFixture();
    const receiver = await startWebhookReceiver();
    const old = "whsec_YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMgaW4gYWxsISE=";
    const until = Math.floor(fixture.clock.now() / 1_000) + 86_400;
    const { secret } = await fixture.addEndpoint(receiver.url, { old_secret: old, old_secret_until: until });
    await fixture.endBatch();
    fixture.clock.advance(86_399_000);
    await fixture.until((waiting) => waiting.length === 0);
    await fixture.endBatch();
    await receiver.until(2);
    fixture.clock.advance(1_000);
    await fixture.until((waiting) => waiting.length === 0);
    await fixture.endBatch();
    const [first, second, third] = (await receiver.until(3)) as [
      ReceivedWebhook,
      ReceivedWebhook,
      ReceivedWebhook,
    ];
    for (const request of [first, second]) {
      expect(request.headers["webhook-signature"]?.split(" ")).toHaveLength(2);
      for (const either of [secret, old])
        expect(await unwrap(request, either)).toMatchObject({ object: "event" });
    }
    expect(await unwrap(third, secret)).toMatchObject({ object: "event" });
    await expect(unwrap(third, old)).rejects.toThrow(/signature/);
  });

  it("delivers to others while a receiver hangs, and asks the hanging one four things at once", async () => {
    const fixture = await createOutboxFixture();
    const hanging = await startWebhookReceiver({ answers: ["hang"] });
    await fixture.addEndpoint(hanging.url);
    for (let events = 0; events < 100; events += 1) await fixture.endBatch();
    await hanging.until(4);
    const healthy = await startWebhookReceiver();
    const { id } = await fixture.addEndpoint(healthy.url);
    for (let events = 0; events < 10; events += 1) await fixture.endBatch();
    await fixture.until((waiting) => waiting.every(({ endpoint }) => endpoint.id !== id));
    expect(healthy.received).toHaveLength(10);
    expect(hanging.received).toHaveLength(4);
  });

  it("delivers to others while as many receivers hang as one project may have", async () => {
    const fixture = await createOutboxFixture();
    const hanging = await startWebhookReceiver({
      answers: Array.from({ length: 80 }, () => "hang" as const),
    });
    for (let count = 0; count < 20; count += 1) await fixture.addEndpoint(hanging.url);
    for (let events = 0; events < 4; events += 1) await fixture.endBatch();
    await hanging.until(80);
    const healthy = await startWebhookReceiver();
    await fixture.addEndpoint(healthy.url);
    await fixture.endBatch();
    await healthy.until(1);
  });

  it("asks a receiver that is down one thing at a time, and tells it everything when it is back", async () => {
    const fixture = await createOutboxFixture();
    const receiver = await startWebhookReceiver({ answers: [503] });
    await fixture.addEndpoint(receiver.url);
    const events = [];
    for (let count = 0; count < 30; count += 1) events.push(await fixture.endBatch());
    const failures = () =>
      fixture.until((waiting) => waiting.filter(({ attempts }) => attempts > 0).length >= 4);
    await failures();
    expect(receiver.received).toHaveLength(4);
    // It rests for 8 seconds after four failures.
    fixture.clock.advance(8_000);
    await receiver.until(5);
    await fixture.until((waiting) => waiting.reduce((all, { attempts }) => all + attempts, 0) === 5);
    expect(receiver.received).toHaveLength(5);
    receiver.answers[0] = 200;
    fixture.clock.advance(60_000);
    await fixture.until((waiting) => waiting.length === 0);
    expect(receiver.received).toHaveLength(35);
    const told = new Set(receiver.received.map(({ body }) => (JSON.parse(body) as { id: string }).id));
    expect(told).toEqual(new Set(events.map(({ id }) => id)));
  });

  it("keeps what was on its way when it stops, and the next process delivers it under the same id", async () => {
    const fixture = await createOutboxFixture();
    const receiver = await startWebhookReceiver({ answers: ["hang", 200] });
    await fixture.addEndpoint(receiver.url);
    await fixture.endBatch();
    await receiver.until(1);
    await fixture.outbox.stop(0);
    expect(await fixture.waiting()).toMatchObject([{ attempts: 0 }]);
    fixture.createOutbox().look();
    await fixture.until((waiting) => waiting.length === 0);
    const [first, second] = receiver.received;
    expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  });

  it("waits at most two seconds for a receiver that hangs when it stops with time to spare", async () => {
    const fixture = await createOutboxFixture();
    const receiver = await startWebhookReceiver({ answers: ["hang"] });
    await fixture.addEndpoint(receiver.url);
    await fixture.endBatch();
    await receiver.until(1);
    let isStopped = false;
    const stopped = fixture.outbox.stop(30_000).then(() => {
      isStopped = true;
    });
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
    fixture.clock.advance(1_999);
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
    expect(isStopped).toBe(false);
    fixture.clock.advance(1);
    await stopped;
    expect(await fixture.waiting()).toHaveLength(1);
  });

  it("asks nothing more of an endpoint that was deleted", async () => {
    const fixture = await createOutboxFixture();
    const receiver = await startWebhookReceiver({ answers: [500] });
    const { id } = await fixture.addEndpoint(receiver.url);
    await fixture.endBatch();
    await fixture.until(([one]) => one?.attempts === 1);
    await fixture.control.deleteWebhookEndpoint("default", id);
    const other = await startWebhookReceiver();
    await fixture.addEndpoint(other.url);
    fixture.clock.advance(3_600_000);
    await fixture.endBatch();
    await fixture.until((waiting) => waiting.length === 0);
    expect(receiver.received).toHaveLength(1);
    expect(other.received).toHaveLength(1);
  });
});

describe("an engine", () => {
  it("tells of each end of a batch once, with the moment of the transition", async () => {
    const receiver = await startWebhookReceiver();
    const { fixture } = await engineWith(receiver.url);
    const completed = await fixture.addBatch(requestLines(2));
    const failed = await fixture.addBatch("not json\n");
    const cancelled = await fixture.addBatch(requestLines(2), { status: "cancelling" });
    const expired = await fixture.addBatch(requestLines(2), { expires_at: 1 });
    await fixture.engine.start();
    const received = await receiver.until(4);
    const told = new Map<string, { type: string; created_at: number }>();
    for (const { body } of received) {
      const { type, created_at, data } = JSON.parse(body) as {
        type: string;
        created_at: number;
        data: { id: string };
      };
      told.set(data.id, { type, created_at });
    }
    for (const { id } of [completed, failed, cancelled, expired]) {
      const batch = await fixture.get(id);
      const status = batch.status as BatchStatus & ("completed" | "failed" | "cancelled" | "expired");
      expect(told.get(id)).toEqual({ type: `batch.${status}`, created_at: batch[`${status}_at`] });
    }
    expect([...told.values()].map(({ type }) => type).toSorted()).toEqual([
      "batch.cancelled",
      "batch.completed",
      "batch.expired",
      "batch.failed",
    ]);
    await fixture.engine.stop(0);
    expect(receiver.received).toHaveLength(4);
  });

  it("ends batches and stops while a receiver hangs", async () => {
    const receiver = await startWebhookReceiver({ answers: ["hang"] });
    const { fixture } = await engineWith(receiver.url);
    await fixture.engine.start();
    for (let count = 0; count < 6; count += 1) {
      const { id } = await fixture.addBatch(requestLines(1));
      expect(await fixture.until(id)).toMatchObject({ status: "completed" });
    }
    await receiver.until(4);
    await fixture.engine.stop(0);
    const waiting = await fixture.control.nextDeliveries({ limit: 10, exceptEndpoints: [], except: [] });
    expect(waiting).toHaveLength(6);
  });

  it("leaves events to the next executor when it has nothing to send with", async () => {
    const receiver = await startWebhookReceiver();
    const { fixture, sender } = await engineWith(receiver.url, { sends: false });
    await fixture.engine.start();
    const { id } = await fixture.addBatch(requestLines(1));
    await fixture.until(id);
    expect(receiver.received).toEqual([]);
    await fixture.restart({ sender });
    expect(JSON.parse((await receiver.until(1))[0]?.body ?? "")).toMatchObject({ data: { id } });
  });
});

async function engineWith(url: string, { sends = true }: { sends?: boolean } = {}) {
  const sender = createHttpSender({ allow: ["127.0.0.1"] });
  const fixture = await createEngineFixture(createScriptedUpstream(echo), sends ? { sender } : {});
  await fixture.control.insertWebhookEndpoint(aWebhookEndpoint({ url }), 20);
  return { fixture, sender };
}
