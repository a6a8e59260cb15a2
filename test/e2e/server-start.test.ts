import { describe, expect, it, onTestFinished } from "vitest";
import { listenFor } from "../../src/http/serve.ts";
import type { Upstream } from "../../src/upstreams/upstream.ts";
import { fixedBounds } from "../support/bounds.ts";
import { openTestInstance } from "../support/http-instance.ts";
import { startTestServer } from "../support/http-server.ts";

describe("server, start and stop", () => {
  it("refuses to listen where other machines could reach it, unless it is told to", async () => {
    const instance = await openTestInstance();
    await expect(startTestServer({ instance, host: "0.0.0.0" })).rejects.toMatchObject({
      code: "invalid_configuration",
      message: expect.stringMatching(/^Cannot listen on 0\.0\.0\.0: /),
    });
    const open = await startTestServer({ host: "0.0.0.0", insecure: true });
    const answer = await open.raw(
      "GET /v1/files HTTP/1.1\r\nhost: nerif.example\r\nconnection: close\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("says that a port is taken, and closes what it had opened", async () => {
    const first = await startTestServer();
    const instance = await openTestInstance();
    await expect(startTestServer({ instance, port: first.port })).rejects.toMatchObject({
      code: "invalid_configuration",
      message: `Cannot listen on 127.0.0.1:${first.port}: another process listens there`,
    });
    await expect(instance.control.changeCounter()).rejects.toMatchObject({ code: "storage_unavailable" });
  });

  it("refuses to start where another process executes, and names it", async () => {
    const instance = await openTestInstance();
    instance.lock.acquire = async () => false;
    instance.lock.holder = async () => ({
      pid: 42,
      command: "nerif serve",
      since: "2026-11-22T00:00:00.000Z",
    });
    await expect(startTestServer({ instance })).rejects.toMatchObject({
      code: "executor_running",
      message: expect.stringContaining("process 42 (nerif serve, since 2026-11-22T00:00:00.000Z)"),
    });
  });

  it("refuses an upstream that is itself", async () => {
    const found: string[] = [];
    const instance = await openTestInstance({
      upstreams: [
        {
          name: "loop",
          serves: () => true,
          bounds: fixedBounds(1),
          async models() {
            const { data } = (await (await fetch(`http://127.0.0.1:${port}/v1/models`)).json()) as {
              data: { id: string }[];
            };
            found.push(...data.map(({ id }) => id));
            return data;
          },
          send: () => Promise.reject(new Error("not asked")),
          close: async () => {},
        },
      ],
    });
    const port = 20_000 + (process.pid % 20_000);
    await expect(startTestServer({ instance, port })).rejects.toMatchObject({ code: "upstream_is_self" });
    expect(found).toHaveLength(1);
  });

  it("listens and answers while an upstream still thinks about which models it has", async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<[]>();
    const slow: Upstream = {
      name: "slow",
      serves: () => true,
      bounds: fixedBounds(1),
      models() {
        asked.resolve();
        return answer.promise;
      },
      send: () => Promise.reject(new Error("not asked")),
      close: async () => {},
    };
    const instance = await openTestInstance({ upstreams: [slow] });
    const server = await listenFor(instance, { port: 0 });
    onTestFinished(() => server.close());
    await asked.promise;
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    answer.resolve([]);
    await server.started;
    await server.close();
    // Both who started it and who stops it may close it.
    await server.close();
  });

  it("drains: ends the request that runs, takes no new one, and is not ready", async () => {
    const server = await startTestServer();
    const { files } = server.instance.service;
    const list = files.list;
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    files.list = async (...args) => {
      begin();
      await released;
      return list(...args);
    };
    const running = server.send("/v1/files");
    await begun;
    const closed = server.close({ graceMs: 10_000 });
    await expect(server.send("/healthz")).rejects.toThrow();
    release();
    expect((await running).status).toBe(200);
    await closed;
    await expect(server.instance.control.changeCounter()).rejects.toThrow();
  });
});
