import OpenAI, { toFile } from "openai";
import OpenAI6 from "openai6";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { openTestInstance } from "../support/http-instance.ts";
import { type ServeProcess, startServeProcess } from "../support/http-process.ts";
import { startTestServer, type TestServer } from "../support/http-server.ts";
import { type ReceivedWebhook, startWebhookReceiver } from "../support/webhook-receiver.ts";

const url = "https://hooks.example.net/nerif";
const both = ["batch.completed" as const, "batch.failed" as const];
const hooks = "/v1/webhook_endpoints";
const unknown = `whe_${"0".repeat(32)}`;

async function start(webhookAllow: string[] = []) {
  const server = await startTestServer({ instance: await openTestInstance({ webhookAllow }) });
  return { server, ...clientOf(server) };
}

function clientOf(server: { url: string }) {
  const client = new OpenAI({ apiKey: "unused", baseURL: `${server.url}/v1` });
  return { client, webhooks: client.webhooks };
}

async function post(server: TestServer, path: string, body: unknown): Promise<[number, unknown]> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await server.send(path, { method: "POST", body: text });
  return [response.status, ((await response.json()) as { error?: unknown }).error];
}

describe("webhook endpoints", () => {
  it("are created, shown, listed, changed and deleted by the SDK, and show their secret once", async () => {
    const { webhooks } = await start();
    const created = await webhooks.create({ name: "sink", url, event_types: [...both, "batch.completed"] });
    const { signing_secret, ...endpoint } = created;
    expect(signing_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(endpoint).toEqual({
      id: expect.stringMatching(/^whe_[0-9a-f]{32}$/),
      object: "webhook_endpoint",
      created_at: expect.any(Number),
      updated_at: endpoint.created_at,
      name: "sink",
      url,
      event_types: both,
      signing_secret_hint: `whsec_****${signing_secret.slice(-4)}`,
    });
    expect(await webhooks.retrieve(endpoint.id)).toEqual(endpoint);
    expect((await webhooks.list()).data).toEqual([endpoint]);
    const event_types = ["batch.cancelled" as const];
    const changed = await webhooks.update(endpoint.id, { name: "bin", event_types });
    expect(changed).toMatchObject({ ...endpoint, name: "bin", event_types, updated_at: expect.any(Number) });
    expect(await webhooks.delete(endpoint.id)).toEqual({
      id: endpoint.id,
      object: "webhook_endpoint.deleted",
      deleted: true,
    });
    await expect(webhooks.retrieve(endpoint.id)).rejects.toMatchObject({ status: 404 });
    expect((await webhooks.eventTypes.list()).data).toEqual([
      "batch.completed",
      "batch.failed",
      "batch.expired",
      "batch.cancelled",
    ]);
  });

  it("are listed newest first, page by page, with null ids when there are none", async () => {
    const { server, webhooks } = await start();
    const empty = { object: "list", data: [], first_id: null, last_id: null, has_more: false };
    expect(await (await server.send(hooks)).json()).toEqual(empty);
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) {
      ids.unshift((await webhooks.create({ name: `n${count}`, url, event_types: both })).id);
    }
    const seen: string[] = [];
    for await (const endpoint of webhooks.list({ limit: 2 })) seen.push(endpoint.id);
    expect(seen).toEqual(ids);
    const page = await (await server.send(`${hooks}?limit=2&after=${ids[1]}`)).json();
    expect(page).toMatchObject({ first_id: ids[2], last_id: ids[3], has_more: true });
    for (const [limit, code] of [
      [0, "integer_below_min_value"],
      [101, "integer_above_max_value"],
      ["x", "invalid_type"],
    ]) {
      const response = await server.send(`${hooks}?limit=${limit}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code, param: "limit" } });
    }
    expect((await server.send(`${hooks}?after=${unknown}`)).status).toBe(404);
  });

  it.each([
    ["no name", { url, event_types: both }, "name", "missing_required_parameter"],
    ["an empty name", { name: "", url, event_types: both }, "name", "string_below_min_length"],
    ["a long name", { name: "x".repeat(257), url, event_types: both }, "name", "string_above_max_length"],
    ["a name that is a number", { name: 1, url, event_types: both }, "name", "invalid_type"],
    ["no url", { name: "x", event_types: both }, "url", "missing_required_parameter"],
    [
      "a long url",
      { name: "x", url: url.padEnd(2_049, "x"), event_types: both },
      "url",
      "string_above_max_length",
    ],
    [
      "plain http",
      { name: "x", url: "http://a.example", event_types: both },
      "url",
      "webhook_address_refused",
    ],
    [
      "credentials",
      { name: "x", url: "https://a:b@c.example", event_types: both },
      "url",
      "webhook_address_refused",
    ],
    [
      "this machine",
      { name: "x", url: "https://0x7f.1/", event_types: both },
      "url",
      "webhook_address_refused",
    ],
    ["no events", { name: "x", url }, "event_types", "missing_required_parameter"],
    ["an empty list", { name: "x", url, event_types: [] }, "event_types", "empty_array"],
    [
      "a foreign event",
      { name: "x", url, event_types: ["response.completed"] },
      "event_types[0]",
      "invalid_value",
    ],
    [
      "a secret of its own",
      { name: "x", url, event_types: both, secret: "x" },
      "secret",
      "unknown_parameter",
    ],
  ])("are refused with %s", async (_, body, param, code) => {
    const { server, webhooks } = await start();
    expect(await post(server, hooks, body)).toMatchObject([
      400,
      { param, code, type: "invalid_request_error" },
    ]);
    expect((await webhooks.list()).data).toEqual([]);
  });

  it("refuse the same in a change, and stay as they were", async () => {
    const { server, webhooks } = await start();
    const { signing_secret: _, ...endpoint } = await webhooks.create({ name: "x", url, event_types: both });
    for (const [change, code] of [
      [{ url: "https://10.0.0.1/" }, "webhook_address_refused"],
      [{ event_types: [] }, "empty_array"],
      [{ name: "" }, "string_below_min_length"],
      [{ id: "whe_1" }, "unknown_parameter"],
    ] as const) {
      expect(await post(server, `${hooks}/${endpoint.id}`, change)).toMatchObject([400, { code }]);
    }
    expect(await webhooks.retrieve(endpoint.id)).toEqual(endpoint);
  });

  it("are twenty at most in a project", async () => {
    const { webhooks } = await start();
    const one = () => webhooks.create({ name: "x", url, event_types: both });
    for (let count = 0; count < 20; count += 1) await one();
    await expect(one()).rejects.toMatchObject({ status: 400, message: expect.stringContaining("20") });
  });

  it("are unknown by any other id, in the same words, whoever has them", async () => {
    const { server } = await start();
    const { service } = server.instance;
    const { id } = await service.webhooks.create("other", { name: "x", url, event_types: both });
    const body = JSON.stringify({ event_type: "batch.completed" });
    const answers = async (asked: string) => {
      const path = `${hooks}/${asked}`;
      const calls: [string, RequestInit][] = [
        [path, {}],
        [path, { method: "POST", body: "{}" }],
        [path, { method: "DELETE" }],
        [`${path}/rotate_secret`, { method: "POST", body: "{}" }],
        [`${path}/test`, { method: "POST", body }],
      ];
      const all = [];
      for (const [target, init] of calls) {
        const response = await server.send(target, init);
        all.push([response.status, (await response.text()).replaceAll(asked, "ID")]);
      }
      return all;
    };
    const foreign = await answers(id);
    expect(foreign).toEqual(await answers(unknown));
    expect(foreign.every(([status]) => status === 404)).toBe(true);
    expect(await answers("whe_1")).toEqual(foreign);
    expect(await service.webhooks.retrieve("other", id)).toMatchObject({ id });
  });

  it("move updated_at on a change, and not on an update that changes nothing nor on a test", async () => {
    const { server, webhooks } = await start(["127.0.0.1"]);
    const receiver = await startWebhookReceiver();
    const { id, name } = await webhooks.create({ name: "x", url: receiver.url, event_types: both });
    const old = (seconds: number) =>
      server.instance.control.updateWebhookEndpoint(id, seconds, { updated_at: 7 });
    await old(1);
    const same = { name, url: receiver.url, event_types: both.toReversed() };
    for (const change of [undefined, {}, same]) {
      expect(await webhooks.update(id, change)).toMatchObject({ updated_at: 7, event_types: both });
    }
    await webhooks.test(id, { event_type: "batch.expired" });
    expect(await webhooks.retrieve(id)).toMatchObject({ updated_at: 7 });
    expect((await webhooks.update(id, { name: "y" })).updated_at).toBeGreaterThan(7);
    await old(3);
    expect((await webhooks.rotateSecret(id)).updated_at).toBeGreaterThan(7);
  });
});

describe("a test of a webhook endpoint", () => {
  it.each([
    ["newest", OpenAI],
    ["previous major", OpenAI6 as unknown as typeof OpenAI],
  ])("sends an event that the %s SDK unwraps, and tells the status", async (_, Client) => {
    const { webhooks } = await start(["127.0.0.1"]);
    const receiver = await startWebhookReceiver({ answers: [204, 500] });
    const { id, signing_secret } = await webhooks.create({ name: "x", url: receiver.url, event_types: both });
    const tested = { object: "webhook_endpoint.test", webhook_endpoint_id: id, success: true };
    const event_type = "batch.expired";
    expect(await webhooks.test(id, { event_type })).toEqual({ ...tested, event_type, status_code: 204 });
    expect(await webhooks.test(id, { event_type })).toEqual({ ...tested, event_type, status_code: 500 });
    const [{ body, headers }, second] = receiver.received as [ReceivedWebhook, ReceivedWebhook];
    const { webhooks: receiving } = new Client({ apiKey: "unused", webhookSecret: signing_secret });
    expect(await receiving.unwrap(body, headers)).toEqual({
      id: expect.stringMatching(/^evt_/),
      object: "event",
      type: event_type,
      created_at: Number(headers["webhook-timestamp"]),
      data: { id: expect.stringMatching(/^batch_[0-9a-f]{32}$/) },
    });
    expect(second.headers["webhook-id"]).not.toBe(headers["webhook-id"]);
  });

  it("signs with both secrets after a rotation that keeps the old one, and else with the new one", async () => {
    const { server, webhooks } = await start(["127.0.0.1"]);
    const receiver = await startWebhookReceiver();
    const created = await webhooks.create({ name: "x", url: receiver.url, event_types: both });
    const sent = async () => {
      await webhooks.test(created.id, { event_type: "batch.completed" });
      return receiver.received.at(-1) as ReceivedWebhook;
    };
    const first = created.signing_secret;
    const second = (await webhooks.rotateSecret(created.id, { keep_old_secret_active_for_24_hours: true }))
      .signing_secret;
    const overlapping = await sent();
    for (const secret of [first, second])
      await webhooks.unwrap(overlapping.body, overlapping.headers, secret);
    const response = await server.send(`${hooks}/${created.id}/rotate_secret`, { method: "POST" });
    const { signing_secret: third } = (await response.json()) as { signing_secret: string };
    expect(new Set([first, second, third]).size).toBe(3);
    const { body, headers } = await sent();
    await webhooks.unwrap(body, headers, third);
    for (const secret of [first, second]) {
      await expect(webhooks.unwrap(body, headers, secret)).rejects.toThrow(/signature/);
    }
    expect(await webhooks.retrieve(created.id)).not.toHaveProperty("signing_secret");
  });

  it("is answered with 502, once, when the receiver cannot be reached, and shows nothing of what is inside", async () => {
    const { server, webhooks } = await start(["127.0.0.1"]);
    const receiver = await startWebhookReceiver({ answers: ["reset"] });
    const { id } = await webhooks.create({ name: "x", url: receiver.url, event_types: both });
    const failing = webhooks.test(id, { event_type: "batch.completed" });
    await expect(failing).rejects.toMatchObject({ status: 502, code: "webhook_unreachable" });
    expect(receiver.received).toHaveLength(1);
    // Its name leads to where nothing is sent; that is known only now.
    const { port } = receiver;
    const hidden = await webhooks.create({ name: "x", url: `https://localhost:${port}/`, event_types: both });
    const [status, error] = await post(server, `${hooks}/${hidden.id}/test`, {
      event_type: "batch.completed",
    });
    expect([status, error]).toMatchObject([502, { code: "webhook_unreachable" }]);
    expect(JSON.stringify(error)).not.toMatch(/127\.0|::1|ECONN|localhost/);
    // Whom a client wants to tell is no trouble of this server.
    expect(server.logged).toEqual([]);
    expect(receiver.received).toHaveLength(1);
    expect(await post(server, `${hooks}/${id}/test`, { event_type: "x" })).toMatchObject([
      400,
      { param: "event_type" },
    ]);
    expect(await post(server, `${hooks}/${id}/test`, {})).toMatchObject([
      400,
      { code: "missing_required_parameter" },
    ]);
  });

  it("is refused with 429 while four of the project are under way, and of no other project", async () => {
    const receiver = await startWebhookReceiver({ answers: ["hang"] });
    const { server, webhooks } = await start(["127.0.0.1"]);
    const { id } = await webhooks.create({ name: "slow", url: receiver.url, event_types: both });
    const test = () =>
      server.send(`${hooks}/${id}/test`, { method: "POST", body: '{"event_type": "batch.completed"}' });
    const running = Array.from({ length: 4 }, test);
    await receiver.until(4);
    const refused = await test();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await refused.json()).toMatchObject({
      error: {
        code: "rate_limit_exceeded",
        message: expect.stringMatching(/: 4 tests of this project are /),
      },
    });
    // It is refused for what it asks, and not for how many others ask.
    const { webhooks: service } = server.instance.service;
    await expect(service.test("other", id, { event_type: "batch.completed" })).rejects.toMatchObject({
      code: "webhook_endpoint_not_found",
    });
    await receiver.close();
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([502, 502, 502, 502]);
    expect((await test()).status).toBe(502);
    expect(receiver.received).toHaveLength(4);
  });
});

describe("nerif serve", () => {
  it("delivers after kill -9 between the end of a batch and the receiver's answer, under the same id", async () => {
    const receiver = await startWebhookReceiver({ answers: ["hang", 200] });
    const server = await serve();
    const { webhooks } = clientOf(server);
    const created = await webhooks.create({ name: "x", url: receiver.url, event_types: both });
    const batch = await runBatch(server);
    // The batch has ended, and the receiver has not said that it knows.
    await receiver.until(1);
    expect(await clientOf(server).client.batches.retrieve(batch)).toMatchObject({ status: "completed" });
    await server.stop("SIGKILL");

    await serve(server);
    const [first, second] = (await receiver.until(2)) as [ReceivedWebhook, ReceivedWebhook];
    expect(second.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
    expect(second.body).toBe(first.body);
    const event = await webhooks.unwrap(second.body, second.headers, created.signing_secret);
    expect(event).toMatchObject({ type: "batch.completed", data: { id: batch } });
  });

  it("delivers after kill -9 while the receiver is down, and logs no secret", async () => {
    const receiver = await startWebhookReceiver();
    await receiver.close();
    const server = await serve();
    const { webhooks } = clientOf(server);
    const url = `${receiver.url}?token=hush`;
    const created = await webhooks.create({ name: "x", url, event_types: both });
    const batch = await runBatch(server);
    while (!server.stderr().includes("the connection was refused")) await new Promise(setImmediate);
    await server.stop("SIGKILL");

    const back = await startWebhookReceiver({ port: receiver.port });
    const again = await serve(server);
    const [{ body, headers }] = (await back.until(1)) as [ReceivedWebhook];
    const event = await webhooks.unwrap(body, headers, created.signing_secret);
    expect(event).toMatchObject({ type: "batch.completed", data: { id: batch } });
    expect(server.stderr() + again.stderr()).not.toMatch(/hush|whsec_/);
  });
});

async function serve(before?: ServeProcess): Promise<ServeProcess> {
  const args = ["--webhook-allow", "127.0.0.0/8"];
  if (before !== undefined) return startServeProcess({ ...before, args });
  const upstream = createSimulator();
  const { url } = await upstream.listen();
  onTestFinished(() => upstream.close());
  return startServeProcess({ upstream: url, args });
}

/** Runs a batch of one line to its end, and returns its id. */
async function runBatch(server: ServeProcess): Promise<string> {
  const { client } = clientOf(server);
  const body = { model: "m", messages: [{ role: "user", content: "Hello" }] };
  const line = { custom_id: "a", method: "POST", url: "/v1/chat/completions", body };
  const file = await toFile(Buffer.from(`${JSON.stringify(line)}\n`), "in.jsonl");
  const input = await client.files.create({ purpose: "batch", file });
  const params = {
    input_file_id: input.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  } as const;
  const { id } = await client.batches.create(params);
  await (await fetch(`${server.url}/v1/batches/${id}/results?follow=true`)).text();
  return id;
}
