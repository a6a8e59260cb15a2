import { expect, it, onTestFinished } from "vitest";
import { openTestInstance } from "../../test/support/http-instance.ts";
import { observe } from "./observe.ts";

const log = { error() {} };

async function start(options: { host?: string; insecure?: boolean } = {}) {
  const instance = await openTestInstance();
  const observer = await observe(instance, { port: 0, log, ...options });
  onTestFinished(() => observer.close());
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${observer.url}${path}`, { headers });
    return { status: response.status, text: await response.text() };
  };
  return { instance, observer, ask };
}

it("an observer tells health and metrics, and nothing else", async () => {
  const { ask } = await start();
  expect(await ask("/healthz")).toEqual({ status: 200, text: '{"status":"ok"}' });
  expect(await ask("/readyz")).toEqual({
    status: 200,
    text: '{"status":"ok","reason":null,"waiting":[]}',
  });
  expect((await ask("/metrics")).text).toMatch(/^nerif_lines_queued 0$/m);
  for (const path of ["/v1/batches", "/v1/files", "/openapi.json", "/v1/models"]) {
    expect([path, (await ask(path)).status]).toEqual([path, 404]);
  }
});

it("an observer is unready, and healthy, from the signal to the end", async () => {
  const { ask, observer } = await start();
  observer.drain();
  expect(await ask("/readyz")).toMatchObject({
    status: 503,
    text: expect.stringContaining('"reason":"draining"'),
  });
  expect((await ask("/healthz")).status).toBe(200);
  await observer.close();
  await expect(ask("/healthz")).rejects.toThrow();
});

it("an observer is unready while the storage cannot be used", async () => {
  const { ask, instance } = await start();
  instance.control.unfinishedBatches = () => Promise.reject(new Error("it is away"));
  expect(await ask("/readyz")).toMatchObject({
    status: 503,
    text: expect.stringContaining('"reason":"storage_unavailable"'),
  });
});

it("an observer shows metrics as a server does: to this machine without keys, to keys of the default project with some", async () => {
  const { ask, instance } = await start();
  expect((await ask("/metrics", { origin: "https://evil.example" })).status).toBe(403);
  const own = (await instance.service.keys.create({})).key;
  const other = (await instance.service.keys.create({ project: "search" })).key;
  expect((await ask("/metrics")).status).toBe(401);
  expect((await ask("/metrics", { authorization: `Bearer ${other}` })).status).toBe(403);
  expect((await ask("/metrics", { authorization: `Bearer ${own}` })).status).toBe(200);
  expect([(await ask("/healthz")).status, (await ask("/readyz")).status]).toEqual([200, 200]);
});

it("an observer listens for other machines only where there is a key, or where it is told that it may", async () => {
  await expect(start({ host: "0.0.0.0" })).rejects.toMatchObject({
    code: "invalid_configuration",
    message: expect.stringContaining("no API key protects it"),
  });
  const { ask } = await start({ host: "0.0.0.0", insecure: true });
  expect((await ask("/healthz")).status).toBe(200);
});
