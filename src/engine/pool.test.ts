import { describe, expect, test } from "vitest";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import {
  createScriptedUpstream,
  echo,
  fails,
  type ScriptedUpstream,
} from "../../test/support/scripted-upstream.ts";

function named(name: string, upstream: ScriptedUpstream): ScriptedUpstream {
  return { ...upstream, name };
}

describe("upstreams for the same model", () => {
  test("share the lines of a batch", async () => {
    const upstreams = ["a", "b"].map((name) => named(name, createScriptedUpstream(echo, { concurrency: 2 })));
    const fixture = await createEngineFixture(upstreams);
    const { id } = await fixture.addBatch(requestLines(40));
    await fixture.engine.start();
    expect(await fixture.until(id)).toMatchObject({
      status: "completed",
      request_counts: { total: 40, completed: 40, failed: 0 },
    });
    for (const { calls } of upstreams) expect(calls.length).toBeGreaterThan(0);
    expect(upstreams.flatMap(({ calls }) => calls)).toHaveLength(40);
  });

  test("take over the lines of one that cannot be reached", async () => {
    const dead = named(
      "dead",
      createScriptedUpstream(() => fails("refused"), { concurrency: 2 }),
    );
    const alive = named("alive", createScriptedUpstream(echo, { concurrency: 2 }));
    const fixture = await createEngineFixture([dead, alive]);
    const { id } = await fixture.addBatch(requestLines(40));
    await fixture.engine.start();
    const batch = await fixture.until(id);
    expect(batch.request_counts).toEqual({ total: 40, completed: 40, failed: 0 });
    expect(alive.calls).toHaveLength(40);
  });

  test("are told of one by one in the progress, and lines that wait only once", async () => {
    const held = Promise.withResolvers<void>();
    const answer = async (call: Parameters<typeof echo>[0]) => {
      await held.promise;
      return echo(call);
    };
    const upstreams = ["a", "b"].map((name) =>
      named(name, createScriptedUpstream(answer, { concurrency: 2 })),
    );
    const fixture = await createEngineFixture(upstreams);
    const { id } = await fixture.addBatch(requestLines(10));
    await fixture.engine.start();
    while (upstreams.some(({ calls }) => calls.length < 2)) await new Promise(setImmediate);
    const routes = fixture.engine.progress(id)?.routes;
    expect(routes).toMatchObject([
      { upstream: "a", limit: 2, inFlight: 2, ready: 6 },
      { upstream: "b", limit: 2, inFlight: 2, ready: 0 },
    ]);
    held.resolve();
    expect((await fixture.until(id)).status).toBe("completed");
  });
});

describe("a lane", () => {
  test("gives a batch with twice the priority twice the calls", async () => {
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const upstream = createScriptedUpstream(
      async (call, nth) => {
        order.push(call.idempotencyKey.split(":")[0] ?? "");
        if (nth === 0) await gate.promise;
        return echo(call);
      },
      { concurrency: 1 },
    );
    const fixture = await createEngineFixture(upstream);
    await fixture.engine.start();
    const usual = await fixture.addBatch(requestLines(90));
    const ready = (id: string) => fixture.engine.progress(id)?.routes[0]?.ready ?? 0;
    while (ready(usual.id) < 89) await new Promise(setImmediate);
    const urgent = await fixture.addBatch(requestLines(90), { metadata: { nerif_priority: "20" } });
    while (ready(urgent.id) < 90) await new Promise(setImmediate);
    gate.resolve();
    await fixture.until(urgent.id);
    await fixture.until(usual.id);
    const early = order.slice(20, 110);
    expect(early.filter((id) => id === urgent.id)).toHaveLength(60);
  });

  test("fails a line that alone is refused for the account, and pauses for nobody", async () => {
    const upstream = createScriptedUpstream((call) =>
      Buffer.from(call.body).toString().includes("Say 17") ? fails("account") : echo(call),
    );
    const fixture = await createEngineFixture(upstream);
    const { id } = await fixture.addBatch(requestLines(60));
    await fixture.engine.start();
    const batch = await fixture.until(id);
    expect(batch.request_counts).toEqual({ total: 60, completed: 59, failed: 1 });
    expect(upstream.calls).toHaveLength(61);
    expect(await fixture.lines(batch.error_file_id)).toMatchObject([{ custom_id: "r17" }]);
  });
});
