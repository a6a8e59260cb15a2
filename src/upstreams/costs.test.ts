import { createHook } from "node:async_hooks";
import { expect, onTestFinished, test } from "vitest";
import { startFaultServer } from "../../test/support/fault-server.ts";
import { createHttpUpstream } from "./http.ts";
import type { Upstream } from "./upstream.ts";

test("a call sent from the answer before it makes one immediate and no promise, on the same connection", async () => {
  const server = await startFaultServer();
  const upstream = createHttpUpstream({ name: "test", url: server.url("ok"), concurrency: 1, env: {} });
  onTestFinished(async () => {
    await upstream.close();
    await server.close();
  });
  await chain(upstream, 50);
  const counts = { Immediate: 0, PROMISE: 0, Timeout: 0 };
  const hook = createHook({
    init(_id, type) {
      if (type === "Immediate" || type === "PROMISE" || type === "Timeout") counts[type] += 1;
    },
  });
  hook.enable();
  await chain(upstream, 200);
  hook.disable();
  // undici waits one turn before it uses a connection again. For one that it takes for idle it waits two.
  expect(counts.Immediate).toBeGreaterThanOrEqual(199);
  expect(counts.Immediate).toBeLessThan(220);
  // Those of this test itself, and none per call.
  expect(counts.PROMISE).toBeLessThan(20);
  expect(counts.Timeout).toBeLessThan(20);
  expect(server.connections()).toBe(1);
});

/** Calls one after another, each sent when the one before is answered. */
function chain(upstream: Upstream, calls: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { signal } = new AbortController();
  const body = Buffer.from("{}");
  const send = (left: number): void => {
    if (left === 0) resolve();
    else
      upstream.send({
        ...{ endpoint: "/v1/embeddings", body, idempotencyKey: `a:${left}:0`, signal },
        onAnswer: (answer) => (answer.ok ? send(left - 1) : reject(new Error(answer.error.message))),
      });
  };
  send(calls);
  return promise;
}
