import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { ask } from "../../test/support/ask.ts";
import { createHttpUpstream } from "./http.ts";
import { proxyFor } from "./proxy.ts";

const proxy = "http://proxy:3128";

interface ProxyCase {
  env: (proxy: string) => Record<string, string>;
  own?: boolean;
}

test.each([
  ["http://models.example/v1", { HTTP_PROXY: proxy }, proxy],
  ["http://models.example/v1", { http_proxy: "proxy:3128" }, proxy],
  ["http://models.example/v1", { HTTPS_PROXY: proxy }, null],
  ["https://models.example/v1", { HTTPS_PROXY: proxy }, proxy],
  ["https://models.example/v1", { HTTPS_PROXY: "" }, null],
  ["http://localhost:8000/v1", { HTTP_PROXY: proxy }, null],
  ["http://127.3.2.1:8000/v1", { HTTP_PROXY: proxy }, null],
  ["http://[::1]:8000/v1", { HTTP_PROXY: proxy }, null],
  ["http://10.0.0.5/v1", { HTTP_PROXY: proxy }, proxy],
  ["http://models.example/v1", { HTTP_PROXY: proxy, NO_PROXY: "*" }, null],
  ["http://models.example/v1", { HTTP_PROXY: proxy, NO_PROXY: "a.example, models.example" }, null],
  ["http://models.example/v1", { HTTP_PROXY: proxy, no_proxy: ".example" }, null],
  ["http://models.example/v1", { HTTP_PROXY: proxy, no_proxy: "*.example" }, null],
  ["http://models.example/v1", { HTTP_PROXY: proxy, no_proxy: "example" }, null],
  ["http://mymodels.example/v1", { HTTP_PROXY: proxy, no_proxy: "models.example" }, proxy],
  ["http://models.example:81/v1", { HTTP_PROXY: proxy, no_proxy: "models.example:80" }, proxy],
  ["http://models.example/v1", { HTTP_PROXY: proxy, no_proxy: "models.example:80" }, null],
])("the proxy for %s under %j is %j", (url, env, expected) => {
  expect(proxyFor(new URL(url), env)).toBe(expected);
});

test("a proxy that is no URL is refused without being shown", () => {
  const look = () => proxyFor(new URL("http://models.example"), { http_proxy: "http://me:secret@:99999" });
  expect(look).toThrow("Cannot use the proxy that http_proxy names: it is no URL");
});

test.each([
  ["the environment names one", { env: (proxy: string) => ({ HTTP_PROXY: proxy }) }],
  [
    "its configuration names one",
    { env: () => ({ HTTP_PROXY: "http://other:1", NO_PROXY: "*" }), own: true },
  ],
])("an upstream sends through the proxy when %s", async (_, { env, own }: ProxyCase) => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url, request.headers.host, request.headers["idempotency-key"] as string);
    response.end('{"choices":[]}');
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const upstream = createHttpUpstream({
    name: "far",
    url: "http://models.example/v1",
    concurrency: 1,
    env: env(`http://127.0.0.1:${port}`),
    proxy: own === true ? `http://127.0.0.1:${port}` : undefined,
  });
  const answer = await ask(upstream, {
    endpoint: "/v1/embeddings",
    body: Buffer.from("{}"),
    idempotencyKey: "a:0:0",
    signal: new AbortController().signal,
  });
  expect(answer).toMatchObject({ ok: true, status: 200 });
  expect(asked).toEqual(["http://models.example/v1/embeddings", "models.example", "a:0:0"]);
  await upstream.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("an upstream goes directly when its configuration says so, whatever the environment names", async () => {
  const server = createServer((_, response) => response.end('{"choices":[]}')).listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  // To this machine, yet no loopback address, for which no proxy would be asked anyway.
  const url = `http://0.0.0.0:${port}/v1`;
  const upstream = createHttpUpstream({
    ...{ name: "near", url, concurrency: 1, proxy: null },
    env: { HTTP_PROXY: "http://127.0.0.1:1" },
  });
  const { signal } = new AbortController();
  const call = { endpoint: "/v1/embeddings", body: Buffer.from("{}"), idempotencyKey: "a:0:0", signal };
  expect(await ask(upstream, call)).toMatchObject({ ok: true });
  await upstream.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
