import { describe, expect, test } from "vitest";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo, fails } from "../../test/support/scripted-upstream.ts";
import { advance } from "../batch/lifecycle.ts";
import type { UpstreamCall } from "../upstreams/upstream.ts";
import { defaultSettings } from "./settings.ts";

const lineOf = (call: UpstreamCall) => Number(call.idempotencyKey.split(":")[1]);

describe("a batch", () => {
  test("sends every line once and writes the answers in input order, with counts and usage", async () => {
    const upstream = createScriptedUpstream(echo);
    const fixture = await createEngineFixture(upstream);
    const { id } = await fixture.addBatch(requestLines(1200));
    await fixture.engine.start();
    const batch = await fixture.until(id);

    expect(batch).toMatchObject({
      status: "completed",
      model: "m",
      error_file_id: null,
      request_counts: { total: 1200, completed: 1200, failed: 0 },
      usage: { input_tokens: 2400, output_tokens: 3600, total_tokens: 6000 },
    });
    expect(upstream.calls).toHaveLength(1200);
    const lines = await fixture.lines(batch.output_file_id);
    expect(lines.map((line) => line.custom_id)).toEqual(Array.from({ length: 1200 }, (_, i) => `r${i}`));
    expect(lines[700]?.response?.body?.echo).toMatchObject({ messages: [{ content: "Say 700" }] });
    expect(new Set(lines.map((line) => line.id)).size).toBe(1200);
  });

  test("sends each line where its own url and model say, and keeps the input order over all routes", async () => {
    const chat = createScriptedUpstream(echo, { serves: (model) => model === "chat" });
    const other = createScriptedUpstream(echo, { serves: (model) => model !== "chat" });
    const fixture = await createEngineFixture([chat, other]);
    // More routes than get shards of their own.
    const input = requestLines(900, (i) =>
      i % 3 === 0
        ? { url: "/v1/embeddings", body: { model: `embed-${i % 100}`, input: "x" } }
        : { body: { model: "chat", messages: [] } },
    );
    const { id } = await fixture.addBatch(input);
    await fixture.engine.start();
    const batch = await fixture.until(id);
    expect(batch).toMatchObject({ status: "completed", model: null, request_counts: { completed: 900 } });
    expect(chat.calls.every((call) => call.endpoint === "/v1/chat/completions")).toBe(true);
    expect(other.calls.map(lineOf).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 300 }, (_, i) => i * 3),
    );
    expect(other.calls.every((call) => call.endpoint === "/v1/embeddings")).toBe(true);
    const lines = await fixture.lines(batch.output_file_id);
    expect(lines.map((line) => line.custom_id)).toEqual(Array.from({ length: 900 }, (_, i) => `r${i}`));
  });

  test("comes to its end with any number of lines, next to others", async () => {
    const upstream = createScriptedUpstream(echo, { concurrency: 3 });
    const fixture = await createEngineFixture(upstream);
    // Around the borders of what is read at once, of what is kept ready, and of shards.
    const sizes = [1, 2, 3, 4, 5, 63, 64, 65, 127, 128, 129, 511, 512, 513, 577, 1024];
    const batches = await Promise.all(sizes.map((size) => fixture.addBatch(requestLines(size))));
    await fixture.engine.start();
    for (const [i, { id }] of batches.entries()) {
      const batch = await fixture.until(id);
      expect(batch.request_counts).toEqual({ total: sizes[i], completed: sizes[i], failed: 0 });
    }
    expect(upstream.calls).toHaveLength(sizes.reduce((sum, size) => sum + size));
  });

  test("never has more calls in flight than the upstream's limit", async () => {
    let [inFlight, most] = [0, 0];
    const upstream = createScriptedUpstream(
      async (call) => {
        most = Math.max(most, ++inFlight);
        await new Promise(setImmediate);
        inFlight -= 1;
        return echo(call);
      },
      { concurrency: 5 },
    );
    const fixture = await createEngineFixture(upstream);
    const first = await fixture.addBatch(requestLines(200));
    const second = await fixture.addBatch(requestLines(200));
    await fixture.engine.start();
    await Promise.all([fixture.until(first.id), fixture.until(second.id)]);
    expect(most).toBe(5);
  });

  test("puts lines that finally failed into the error file with both halves, and goes on", async () => {
    const upstream = createScriptedUpstream((call) => {
      if (lineOf(call) === 1) return fails("rejected");
      return lineOf(call) === 2 ? fails("unavailable") : echo(call);
    });
    const fixture = await createEngineFixture(upstream);
    const { id } = await fixture.addBatch(requestLines(4));
    await fixture.engine.start();
    const batch = await fixture.until(id);
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 4, completed: 2, failed: 2 },
    });
    const errors = await fixture.lines(batch.error_file_id);
    expect(errors.map((line) => [line.custom_id, line.response?.status_code, line.error?.code])).toEqual([
      ["r1", 400, "scripted_rejected"],
      ["r2", 500, "scripted_unavailable"],
    ]);
    const keys = upstream.calls.filter((call) => lineOf(call) === 2).map((call) => call.idempotencyKey);
    expect(keys).toEqual([0, 1, 2, 3, 4].map((k) => `${id}:2:${k}`));
  });

  test("fails with every bad line and sends nothing when the input is refused", async () => {
    const upstream = createScriptedUpstream(echo);
    const fixture = await createEngineFixture(upstream);
    const { id } = await fixture.addBatch(`${requestLines(2)}nonsense\n{"custom_id":"x"}\n`);
    await fixture.engine.start();
    const batch = await fixture.until(id);
    expect(batch).toMatchObject({ status: "failed", request_counts: { total: 0 }, output_file_id: null });
    expect(new Set(batch.errors?.map((error) => error.line))).toEqual(new Set([3, 4]));
    expect(upstream.calls).toHaveLength(0);
  });

  test("waits through an outage without burning a line", async () => {
    let down = true;
    const upstream = createScriptedUpstream((call, nth) => {
      if (nth === 60) down = false;
      return down ? fails("unavailable") : echo(call);
    });
    const fixture = await createEngineFixture(upstream, { settings: { ...defaultSettings, maxAttempts: 2 } });
    const { id } = await fixture.addBatch(requestLines(100));
    await fixture.engine.start();
    await fixture.until(id, () => upstream.calls.length >= 9);
    expect(fixture.engine.progress(id)?.routes[0]?.reason).toMatchObject({
      code: "outage",
      message: "It was unavailable",
    });
    down = false;
    expect(await fixture.until(id)).toMatchObject({
      status: "completed",
      request_counts: { completed: 100, failed: 0 },
    });
  });
});

describe("a cancel", () => {
  test("lets calls in flight end, keeps what is done and reports every other line", async () => {
    const held: (() => void)[] = [];
    const upstream = createScriptedUpstream(
      (call) => {
        if (lineOf(call) < 3) return echo(call);
        if (lineOf(call) === 3) return fails("throttled", 60_000);
        return new Promise((resolve) => held.push(() => resolve(echo(call))));
      },
      { concurrency: 2 },
    );
    const fixture = await createEngineFixture(upstream);
    // The rest line goes elsewhere, or the throttled route would hold it back.
    const { id } = await fixture.addBatch(
      requestLines(600, (i) => (i > 3 ? { body: { model: "other", messages: [] } } : {})),
    );
    await fixture.engine.start();
    await fixture.until(id, () => held.length === 2 && upstream.calls.some((call) => lineOf(call) === 3));
    await cancel(fixture, id);
    expect((await fixture.get(id)).status).toBe("cancelling");
    for (const release of held) release();
    const batch = await fixture.until(id);
    expect(batch).toMatchObject({ status: "cancelled", finalizing_at: null });
    expect(batch.request_counts).toEqual({ total: 600, completed: 5, failed: 0 });
    expect(await fixture.lines(batch.output_file_id)).toHaveLength(5);
    const errors = await fixture.lines(batch.error_file_id);
    expect(errors).toHaveLength(595);
    expect(errors[0]).toMatchObject({ custom_id: "r3", error: { code: "scripted_throttled" } });
    expect(errors[0]?.response?.status_code).toBe(429);
    expect(new Set(errors.slice(1).map((line) => line.error?.code))).toEqual(new Set(["batch_cancelled"]));
  });

  test("breaks calls off when the grace is over", async () => {
    const upstream = createScriptedUpstream(() => new Promise(() => {}));
    const settings = { ...defaultSettings, cancelGraceMs: 1 };
    const fixture = await createEngineFixture(upstream, { settings });
    const { id } = await fixture.addBatch(requestLines(20));
    await fixture.engine.start();
    await fixture.until(id, () => upstream.calls.length === 8);
    await cancel(fixture, id);
    const batch = await fixture.until(id);
    expect(batch).toMatchObject({ status: "cancelled", output_file_id: null });
    expect(await fixture.lines(batch.error_file_id)).toHaveLength(20);
  });
});

describe("the completion window", () => {
  test("ends a batch as expired with partial results", async () => {
    const upstream = createScriptedUpstream((call) =>
      lineOf(call) < 5 ? echo(call) : new Promise(() => {}),
    );
    const fixture = await createEngineFixture(upstream);
    const soon = Math.floor(Date.now() / 1000) + 2;
    const { id } = await fixture.addBatch(requestLines(50), { expires_at: soon });
    await fixture.engine.start();
    const batch = await fixture.until(id);
    expect(batch).toMatchObject({ status: "expired", finalizing_at: null });
    expect(batch.request_counts).toEqual({ total: 50, completed: 5, failed: 0 });
    const errors = await fixture.lines(batch.error_file_id);
    expect(errors.map((line) => line.error?.code)).toEqual(Array(45).fill("batch_expired"));
  });

  test("is looked at before anything is sent", async () => {
    const upstream = createScriptedUpstream(echo);
    const fixture = await createEngineFixture(upstream);
    const { id } = await fixture.addBatch(requestLines(5), { expires_at: 1 });
    await fixture.engine.start();
    expect((await fixture.until(id)).status).toBe("expired");
    expect(upstream.calls).toHaveLength(0);
  });
});

describe("a stop", () => {
  test("keeps what is durable, so that the next process sends only the rest", async () => {
    const upstream = createScriptedUpstream((call) =>
      lineOf(call) < 700 ? echo(call) : new Promise(() => {}),
    );
    const fixture = await createEngineFixture(upstream);
    const { id } = await fixture.addBatch(requestLines(1000));
    await fixture.engine.start();
    await fixture.until(
      id,
      (batch) => (fixture.engine.progress(id)?.counts.completed ?? 0) >= 700 && batch !== null,
    );
    const again = createScriptedUpstream(echo);
    await fixture.restart({ pickUpstreams: () => [again] });
    const batch = await fixture.until(id);
    expect(batch).toMatchObject({ status: "completed", request_counts: { completed: 1000 } });
    expect(batch.usage?.total_tokens).toBe(5000);
    expect(again.calls.map(lineOf).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 300 }, (_, i) => 700 + i),
    );
    const lines = await fixture.lines(batch.output_file_id);
    expect(lines.map((line) => line.custom_id)).toEqual(Array.from({ length: 1000 }, (_, i) => `r${i}`));
  });
});

async function cancel(fixture: Awaited<ReturnType<typeof createEngineFixture>>, id: string): Promise<void> {
  const batch = await fixture.get(id);
  const patch = advance(batch, { type: "cancel" }, Math.floor(Date.now() / 1000));
  if (patch === null || (await fixture.control.updateBatch(id, batch.version, patch)) === null) {
    throw new Error(`Cannot cancel ${id}`);
  }
  fixture.engine.wake();
}

describe("lines on which the upstream breaks", () => {
  const isPoison = (call: UpstreamCall) => lineOf(call) < 80 || lineOf(call) >= 293;

  test("end in the error file and hold nobody back, also when many stand together", async () => {
    const upstream = createScriptedUpstream((call) => (isPoison(call) ? fails("unavailable") : echo(call)));
    const settings = { ...defaultSettings, maxAttempts: 2 };
    const fixture = await createEngineFixture(upstream, { settings, random: () => 0.5 });
    const { id } = await fixture.addBatch(requestLines(300));
    await fixture.engine.start();
    const batch = await fixture.until(id);
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 300, completed: 213, failed: 87 },
    });
  });
});

test("more batches that wait than one process works on do not keep others from being ended", async () => {
  const upstream = createScriptedUpstream(() => fails("refused"));
  const fixture = await createEngineFixture(upstream);
  const stuck = await Promise.all(Array.from({ length: 70 }, () => fixture.addBatch(requestLines(1))));
  await fixture.engine.start();
  const last = stuck.at(-1)?.id ?? "";
  await fixture.until(last, (batch) => batch.status === "in_progress");
  await cancel(fixture, last);
  expect(await fixture.until(last)).toMatchObject({ status: "cancelled" });
});

test("a batch whose input is gone fails and says so", async () => {
  const fixture = await createEngineFixture(createScriptedUpstream(echo));
  const batch = await fixture.addBatch(requestLines(1));
  await fixture.files.delete(batch.input_file_id);
  await fixture.engine.start();
  const failed = await fixture.until(batch.id);
  expect(failed).toMatchObject({ status: "failed", errors: [{ code: "file_not_found", line: null }] });
});
