import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { openTestInstance, requestLine } from "../support/http-instance.ts";
import { inputForm, startTestServer, type TestServer } from "../support/http-server.ts";

const app = "https://app.example.com";
const local = "http://localhost:3000";

interface Answer {
  status: number | undefined;
  headers: IncomingMessage["headers"];
  body: string;
}

/** As a browser would send it: `fetch` here sets no Origin and no Host. */
async function ask(
  server: TestServer,
  { method = "GET", path = "/v1/files", headers = {} }: { method?: string; path?: string; headers?: object },
): Promise<Answer> {
  const sent = request(`${server.url}${path}`, { method, headers: { ...headers }, agent: false }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

const preflight = (origin: string, method: string) => ({
  origin,
  "access-control-request-method": method,
  "access-control-request-headers": "authorization,content-type,x-stainless-lang",
});

function allowed({ headers }: Answer): unknown {
  return headers["access-control-allow-origin"];
}

describe("pages of other origins", () => {
  it.each([
    ["keyless", false],
    ["with keys", true],
  ])("are told nothing that would let them in by default (%s)", async (_name, hasKeys) => {
    const instance = await openTestInstance();
    if (hasKeys) await instance.service.keys.create({});
    const server = await startTestServer({ instance });
    for (const method of ["GET", "POST", "DELETE", "PUT"]) {
      const answer = await ask(server, { method: "OPTIONS", headers: preflight(app, method) });
      expect(answer.status).toBe(hasKeys ? 401 : 403);
      expect(JSON.stringify(answer.headers)).not.toContain("access-control");
    }
    const get = await ask(server, { headers: { origin: app } });
    expect(get.status).toBe(hasKeys ? 401 : 403);
    expect(JSON.stringify(get.headers)).not.toContain("access-control");
  });

  const methods = ["GET", "POST", "DELETE"];
  const origins: [string, boolean][] = [
    [app, true],
    [local, true],
    ["https://app.example.com:8443", false],
    ["http://app.example.com", false],
    ["https://APP.example.com", false],
    ["https://app.example.com.evil.example", false],
    ["https://evil.example", false],
    ["http://127.0.0.1:3000", false],
    ["null", false],
    ["*", false],
    [`${app}, https://evil.example`, false],
  ];
  const paths = ["/v1/files", "/v1/batches/batch_x/cancel", "/v1/nothing", "/readyz"];
  it.each(origins)("%s may use the API: %j", async (origin, may) => {
    for (const hasKeys of [false, true]) {
      const instance = await openTestInstance();
      const key = hasKeys ? (await instance.service.keys.create({})).key : null;
      const server = await startTestServer({ instance, corsOrigins: [app, local] });
      for (const path of paths) {
        for (const method of methods) {
          const answer = await ask(server, { method: "OPTIONS", path, headers: preflight(origin, method) });
          expect(allowed(answer)).toBe(may ? origin : undefined);
          expect(answer.headers["access-control-allow-credentials"]).toBeUndefined();
          expect(answer.headers.vary).toContain("Origin");
          if (!may) continue;
          expect(answer.status).toBe(204);
          expect(answer.headers["access-control-allow-methods"]?.split(",")).toContain(method);
          expect(answer.headers["access-control-allow-methods"]).not.toContain("PUT");
          expect(answer.headers["access-control-allow-headers"]).toContain("x-stainless-lang");
          expect(answer.headers["access-control-max-age"]).toBe("600");
        }
      }
      const headers = {
        origin,
        "sec-fetch-site": "cross-site",
        ...(key && { authorization: `Bearer ${key}` }),
      };
      const get = await ask(server, { headers });
      expect(get.status).toBe(may || hasKeys ? 200 : 403);
      expect(allowed(get)).toBe(may ? origin : undefined);
      expect(get.headers.vary).toContain("Origin");
      expect(get.headers["access-control-expose-headers"]).toContain("x-request-id");
      expect(get.headers["access-control-expose-headers"]).toContain("idempotent-replayed");
    }
  });

  it("read errors too when they are allowed", async () => {
    const instance = await openTestInstance();
    await instance.service.keys.create({});
    const server = await startTestServer({ instance, corsOrigins: [app] });
    const missing = await ask(server, { headers: { origin: app } });
    expect([missing.status, allowed(missing)]).toEqual([401, app]);
    expect(missing.headers["x-request-id"]).toMatch(/^req_/);
  });

  it("are refused on a host that is not loopback, allowed or not, as long as there is no key", async () => {
    const server = await startTestServer({ corsOrigins: [app] });
    const answer = await ask(server, { headers: { origin: app, host: "evil.example" } });
    expect(answer.status).toBe(403);
  });

  it("gain nothing for those who are not allowed where others are", async () => {
    const server = await startTestServer({ corsOrigins: [app] });
    const form = new Request("http://x/", { method: "POST", body: inputForm(`${requestLine("a")}\n`) });
    const body = Buffer.from(await form.arrayBuffer());
    const type = form.headers.get("content-type") ?? "";
    for (const [origin, status] of [
      ["https://evil.example", 403],
      [app, 200],
    ] as const) {
      const sent = request(`${server.url}/v1/files`, {
        method: "POST",
        headers: { origin, "sec-fetch-site": "cross-site", "content-type": type },
      }).end(body);
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      response.resume();
      expect([origin, response.statusCode]).toEqual([origin, status]);
    }
    expect((await server.instance.service.files.list("default")).data).toHaveLength(1);
  });

  it.each([
    "*",
    "null",
    "",
    "app.example.com",
    "https://app.example.com/",
    "https://app.example.com/page",
    "https://*.example.com",
    "https://App.example.com",
    "https://app.example.com:443",
    "https://user@app.example.com",
    "file:///etc",
    "https://a.example, https://b.example",
  ])("are never %j: a server with such a setting does not start", async (origin) => {
    await expect(startTestServer({ corsOrigins: [origin] })).rejects.toMatchObject({
      code: "invalid_configuration",
      param: "cors_origin",
    });
  });
});
