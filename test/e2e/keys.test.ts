import OpenAI, { AzureOpenAI } from "openai";
import { describe, expect, it } from "vitest";
import { createNerif } from "../../src/library/nerif.ts";
import { createHandler } from "../../src/server.ts";
import { fixedBounds } from "../support/bounds.ts";
import { createTestClock } from "../support/clock.ts";
import { aFile } from "../support/control-rows.ts";
import { freePort } from "../support/free-port.ts";
import {
  openTestInstance,
  project,
  requestLine,
  type TestInstance,
  uploadInput,
} from "../support/http-instance.ts";
import { inputForm, startTestServer } from "../support/http-server.ts";
import { storageAt } from "../support/storage.ts";

const line = `${requestLine("a")}\n`;

function bearer(key: string): { headers: { authorization: string } } {
  return { headers: { authorization: `Bearer ${key}` } };
}

async function withKey(params: Parameters<TestInstance["service"]["keys"]["create"]>[0] = {}) {
  const clock = createTestClock();
  const instance = await openTestInstance({ clock });
  const { key, object } = await instance.service.keys.create(params);
  const server = await startTestServer({ instance });
  return { server, instance, clock, key, id: object.id, keys: instance.service.keys };
}

describe("server with keys", () => {
  it("asks everybody for a key from the moment that there is one, and never again lets anybody in without", async () => {
    const server = await startTestServer();
    const { keys } = server.instance.service;
    expect((await server.send("/v1/files")).status).toBe(200);
    const { key, object } = await keys.create({});
    expect((await server.send("/v1/files")).status).toBe(401);
    expect((await server.send("/v1/files", bearer(key))).status).toBe(200);
    await keys.revoke(object.id);
    expect((await server.send("/v1/files", bearer(key))).status).toBe(401);
    expect((await server.send("/v1/files")).status).toBe(401);
  });

  it("says that a key is missing, or which one is wrong, as OpenAI does", async () => {
    const { server, key, keys, id } = await withKey();
    const missing = await server.send("/v1/batches");
    expect([missing.status, missing.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect(await missing.json()).toEqual({
      error: {
        message: expect.stringMatching(/^You didn't provide an API key\. /),
        type: "invalid_request_error",
        param: null,
        code: null,
      },
    });
    await keys.revoke(id);
    const wrong = await server.send("/v1/batches", bearer(key));
    expect([wrong.status, wrong.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    const text = await wrong.text();
    expect(text).not.toContain(key.slice(5, -2));
    expect(JSON.parse(text)).toEqual({
      error: {
        message: expect.stringMatching(/^Incorrect API key provided: sk-ne\.\.\...\. /),
        type: "invalid_request_error",
        param: null,
        code: "invalid_api_key",
      },
    });
    const revoked = await server.send("/v1/batches", bearer(key));
    const unknown = await server.send(
      "/v1/batches",
      bearer(`${key.slice(0, 20)}${"x".repeat(30)}${key.slice(-2)}`),
    );
    expect(await unknown.json()).toEqual(await revoked.json());
  });

  it.each<[string, (key: string) => Record<string, string>, number]>([
    ["Bearer", (key) => ({ authorization: `Bearer ${key}` }), 200],
    ["bearer in lower case", (key) => ({ authorization: `bearer ${key}` }), 200],
    ["api-key", (key) => ({ "api-key": key }), 200],
    ["another scheme", (key) => ({ authorization: `Basic ${key}` }), 401],
    ["no scheme", (key) => ({ authorization: key }), 401],
    ["two words", (key) => ({ authorization: `Bearer ${key} ${key}` }), 401],
    ["an empty Bearer", () => ({ authorization: "Bearer " }), 401],
    ["a wrong Bearer beside a good api-key", (key) => ({ authorization: "Bearer no", "api-key": key }), 401],
    ["another header", (key) => ({ "x-api-key": key }), 401],
  ])("takes a key as %s with the answer it shall have", async (_name, headers, status) => {
    const { server, key } = await withKey();
    expect((await server.send("/v1/files", { headers: headers(key) })).status).toBe(status);
  });

  it("takes no key from the address", async () => {
    const { server, key } = await withKey();
    expect((await server.send(`/v1/files?api-key=${key}&api_key=${key}`)).status).toBe(401);
  });

  it("tells strangers not even which paths there are, save that it is alive", async () => {
    const { server, key } = await withKey();
    for (const path of [
      "/v1/nothing",
      "/",
      "/v1",
      "/openai/nothing",
      "/metrics/",
      "/healthz/",
      "/V1/files",
    ]) {
      expect([path, (await server.send(path)).status]).toEqual([path, 401]);
      expect([path, (await server.send(path, bearer(key))).status]).toEqual([path, 404]);
    }
    // Azure's spelling of a path is no way round.
    const azure = "/openai/deployments/x/files?api-version=1";
    expect((await server.send(azure)).status).toBe(401);
    expect((await server.send(azure, { headers: { "api-key": key } })).status).toBe(200);
    expect(await (await server.send("/healthz")).json()).toEqual({ status: "ok" });
    expect(await (await server.send("/readyz")).json()).toEqual({ status: "ok", reason: null });
    expect(await (await server.send("/readyz", bearer("no"))).json()).toEqual({ status: "ok", reason: null });
  });

  it("lists the routes that wait for those alone whose batches they are of", async () => {
    const { server, instance, key, keys } = await withKey({ project: "mine" });
    const other = (await keys.create({ project: "other" })).key;
    const staged = await instance.service.files.begin();
    await staged.write([Buffer.from(line)]);
    const input = await staged.finish("mine", { filename: "a.jsonl", purpose: "batch" });
    const params = { input_file_id: input.id, endpoint: "/v1/embeddings", completion_window: "24h" };
    const batch = await instance.service.batches.create("mine", params);
    const reason = { code: "outage" as const, message: "it answers 503" };
    const route = { endpoint: "/v1/embeddings", model: "m", upstream: "local", reason };
    instance.engine.progress = () => ({
      counts: { total: 1, completed: 0, failed: 0 },
      inFlight: 0,
      rate: null,
      routes: [
        {
          ...route,
          limit: 1,
          limitPerSecond: null,
          inFlight: 0,
          rate: null,
          waiting: 1,
          ready: 0,
          succeeded: 0,
        },
      ],
    });
    const ready = async (given?: string) =>
      (await server.send("/readyz", given === undefined ? {} : bearer(given))).json();
    expect(await ready(key)).toMatchObject({ waiting: [{ batch: batch.id, model: "m" }] });
    expect(await ready(other)).toEqual({ status: "ok", reason: null, waiting: [] });
    expect(await ready()).toEqual({ status: "ok", reason: null });
  });

  it("tells nothing more to those who follow results with a key that is revoked", async () => {
    const instance = await openTestInstance();
    const { key, object } = await instance.service.keys.create({});
    const server = await startTestServer({ instance });
    const input = await uploadInput(instance, `${requestLine("a")}\n`);
    const params = { input_file_id: input.id, endpoint: "/v1/embeddings", completion_window: "24h" };
    const { id } = await instance.service.batches.create(project, params);
    const followed = await server.send(`/v1/batches/${id}/results?follow=true`, bearer(key));
    expect(followed.status).toBe(200);
    await instance.service.keys.revoke(object.id);
    await expect(followed.text()).rejects.toThrow();
    expect(server.logged).toEqual([]);
  });

  it("costs a stranger's question whether it is ready no more than one batch, however many there are", async () => {
    const { server, instance, key } = await withKey();
    const asked: (number | undefined)[] = [];
    const { unfinishedBatches } = instance.control;
    instance.control.unfinishedBatches = (limit) => {
      asked.push(limit);
      return unfinishedBatches(limit);
    };
    expect((await server.send("/readyz")).status).toBe(200);
    expect((await server.send("/readyz", bearer(`${key}x`))).status).toBe(200);
    expect(new Set(asked)).toEqual(new Set([1]));
  });

  it("is alive, and closed, while its storage fails", async () => {
    const { server, instance, key } = await withKey();
    const broken = () => Promise.reject(new Error("locked"));
    Object.assign(instance.control, { findApiKey: broken, hasApiKeys: broken, unfinishedBatches: broken });
    expect((await server.send("/healthz")).status).toBe(200);
    expect((await server.send("/readyz", bearer(key))).status).toBe(503);
    expect((await server.send("/v1/files", bearer(key))).status).toBe(500);
    expect((await server.send("/v1/files")).status).toBe(401);
  });

  it("listens for other machines because there are keys, and stays closed whatever becomes of them", async () => {
    const instance = await openTestInstance();
    const { key, object } = await instance.service.keys.create({});
    const server = await startTestServer({ instance, host: "0.0.0.0" });
    const ask = (headers: string) =>
      server.raw(`GET /v1/files HTTP/1.1\r\nhost: nerif.example\r\n${headers}connection: close\r\n\r\n`);
    expect(await ask(`authorization: Bearer ${key}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask("")).toMatch(/^HTTP\/1\.1 401 /);
    await instance.service.keys.revoke(object.id);
    instance.control.hasApiKeys = async () => false;
    instance.control.findApiKey = async () => null;
    expect(await ask("")).toMatch(/^HTTP\/1\.1 401 /);
    expect(await ask(`authorization: Bearer ${key}\r\n`)).toMatch(/^HTTP\/1\.1 401 /);
  });

  it("serves other hosts and origins with a key, since no page has one by itself", async () => {
    const { server, key } = await withKey();
    const answer = await server.raw(
      `GET /v1/files HTTP/1.1\r\nhost: nerif.example\r\norigin: https://app.example\r\nauthorization: Bearer ${key}\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer.toLowerCase()).not.toContain("access-control");
  });

  it("refuses what passes a quota with what is used, and tells the SDKs not to repeat it", async () => {
    const { server, key } = await withKey({ quotas: { stored_bytes: line.length } });
    const post = (text: string) =>
      server.send("/v1/files", { method: "POST", body: inputForm(text), ...bearer(key) });
    const tooLarge = await post(`${line}${line}`);
    expect([tooLarge.status, tooLarge.headers.get("x-should-retry")]).toEqual([429, "false"]);
    expect(await tooLarge.json()).toMatchObject({
      error: { code: "quota_exceeded", message: expect.stringContaining("'stored_bytes'"), param: null },
    });
    expect((await post(line)).status).toBe(200);
    expect((await post(line)).status).toBe(429);
  });

  it("refuses a batch whose lines pass the quota of its key", async () => {
    const { server, instance, key, id } = await withKey({ quotas: { queued_lines: 5 } });
    const input = aFile({ lines: 3, api_key: id });
    await instance.control.insertFile(input);
    const body = JSON.stringify({
      input_file_id: input.id,
      endpoint: "/v1/embeddings",
      completion_window: "24h",
    });
    const create = () => server.send("/v1/batches", { method: "POST", body, ...bearer(key) });
    expect((await create()).status).toBe(200);
    const refused = await create();
    expect([refused.status, refused.headers.get("x-should-retry")]).toEqual([429, "false"]);
    expect(await refused.json()).toMatchObject({
      error: {
        code: "quota_exceeded",
        message: expect.stringContaining("is 5, of which 3 are used, and it needs 3 more"),
      },
    });
  });

  it("refuses requests above the rate of a key and says when the next may come", async () => {
    const { server, key, clock } = await withKey({ quotas: { requests_per_second: 1 } });
    const ask = () => server.send("/v1/files", bearer(key));
    expect([(await ask()).status, (await ask()).status]).toEqual([200, 200]);
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(refused.headers.get("retry-after-ms")).toBe("1000");
    expect(refused.headers.get("x-should-retry")).toBeNull();
    expect(await refused.json()).toMatchObject({ error: { code: "rate_limit_exceeded" } });
    // Wrong keys and calls that need none spend nothing.
    expect((await server.send("/v1/files", bearer("wrong"))).status).toBe(401);
    expect((await server.send("/readyz", bearer(key))).status).toBe(200);
    clock.advance(1_000);
    expect((await ask()).status).toBe(200);
  });

  it("is used by the SDKs with their keys", async () => {
    const { server, key } = await withKey();
    const options = { maxRetries: 0 };
    const client = new OpenAI({ ...options, baseURL: `${server.url}/v1`, apiKey: key });
    expect((await client.files.list()).data).toEqual([]);
    const wrong = new OpenAI({
      ...options,
      baseURL: `${server.url}/v1`,
      apiKey: "sk-another-key-of-somebody",
    });
    await expect(wrong.files.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    const azure = new AzureOpenAI({
      ...{ ...options, baseURL: `${server.url}/v1`, apiKey: key, apiVersion: "2025-04-01-preview" },
    });
    expect((await azure.files.list()).data).toEqual([]);
  });

  it("still notices that it is its own upstream", async () => {
    const instance = await openTestInstance();
    await instance.service.keys.create({});
    const port = await freePort();
    const self = {
      name: "loop",
      serves: () => true,
      bounds: fixedBounds(1),
      async models() {
        const response = await fetch(`http://127.0.0.1:${port}/v1/models`);
        return ((await response.json()) as { data: unknown[] }).data;
      },
      send: () => Promise.reject(new Error("not asked")),
      close: async () => {},
    };
    instance.upstreams = () => [self];
    await expect(startTestServer({ instance, port })).rejects.toMatchObject({ code: "upstream_is_self" });
  });

  it("serves through a handler of one's own in the same way", async () => {
    const instance = await openTestInstance();
    const { key } = await instance.service.keys.create({});
    await instance.close();
    const nerif = createNerif({ ...storageAt(instance.dataDir), execute: false });
    const handler = createHandler(nerif);
    const url = "https://batches.example/v1/files";
    expect((await handler(new Request(url))).status).toBe(401);
    expect((await handler(new Request(url, bearer(key)))).status).toBe(200);
    await nerif.close();
    expect(() => createHandler(nerif, { corsOrigins: ["*"] })).toThrow("Cannot allow the origin");
  });
});
