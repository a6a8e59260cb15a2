import { expect, test } from "vitest";
import { createEngineFixture, type EngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo, fails } from "../../test/support/scripted-upstream.ts";
import { lessWorkMetadata } from "../batch/less-work.ts";
import type { UpstreamCall } from "../upstreams/upstream.ts";
import { followersKey, planKey } from "./batch-files.ts";
import { defaultSettings } from "./settings.ts";

const metadata = lessWorkMetadata({ dedupe: true, groupByPrefix: false });
const lineOf = (call: UpstreamCall) => Number(call.idempotencyKey.split(":")[1]);
const never = () => new Promise<never>(() => {});

/** `count` lines whose bodies are those of `distinct` lines in turn. */
function repeating(count: number, distinct: number, temperature = 0): string {
  return requestLines(count, (i) => ({
    body: { model: "m", messages: [{ role: "user", content: `Say ${i % distinct}` }], temperature },
  }));
}

/** Runs it; counts are looked at whenever something changes. */
async function run(fixture: EngineFixture, id: string) {
  await fixture.engine.start();
  const batch = await fixture.until(id);
  const [output, errors] = [
    await fixture.lines(batch.output_file_id),
    await fixture.lines(batch.error_file_id),
  ];
  return { batch, output, errors };
}

test("equal requests are sent once, and each line gets the answer under its own name, in its place", async () => {
  const upstream = createScriptedUpstream(echo);
  const fixture = await createEngineFixture(upstream);
  const { id } = await fixture.addBatch(repeating(2_000, 600), { metadata });
  const { batch, output } = await run(fixture, id);

  expect(upstream.calls.map(lineOf).sort((a, b) => a - b)).toEqual(Array.from({ length: 600 }, (_, i) => i));
  expect(batch).toMatchObject({
    status: "completed",
    request_counts: { total: 2_000, completed: 2_000, failed: 0 },
    usage: { total_tokens: 600 * 5 },
    error_file_id: null,
  });
  expect(output.map((line) => line.custom_id)).toEqual(Array.from({ length: 2_000 }, (_, i) => `r${i}`));
  expect(output.map((line) => Number.parseInt(line.id.slice(-8), 16))).toEqual(output.map((_, i) => i));
  for (const [i, line] of output.entries()) {
    expect(line.response?.body?.echo).toMatchObject({ messages: [{ content: `Say ${i % 600}` }] });
  }
  expect(await fixture.files.size(followersKey(id))).toBeNull();
});

test.each([
  ["nobody asked for it", 0, null],
  ["equal requests may have other answers", 0.7, metadata],
])("every line is sent where %s", async (_, temperature, given) => {
  const upstream = createScriptedUpstream(echo);
  const fixture = await createEngineFixture(upstream);
  const { id } = await fixture.addBatch(repeating(20, 5, temperature), { metadata: given });
  const { output } = await run(fixture, id);
  expect(upstream.calls).toHaveLength(20);
  expect(output).toHaveLength(20);
});

test("lines fail with the one whose answer they were to get", async () => {
  const upstream = createScriptedUpstream((call) => (lineOf(call) === 2 ? fails("rejected") : echo(call)));
  const fixture = await createEngineFixture(upstream);
  const { id } = await fixture.addBatch(repeating(10, 4), { metadata });
  const { batch, output, errors } = await run(fixture, id);
  expect(upstream.calls).toHaveLength(4);
  expect(batch.request_counts).toEqual({ total: 10, completed: 8, failed: 2 });
  expect(output.map((line) => line.custom_id)).toEqual(["r0", "r1", "r3", "r4", "r5", "r7", "r8", "r9"]);
  expect(errors).toMatchObject([
    { custom_id: "r2", response: { status_code: 400 }, error: { code: "scripted_rejected" } },
    { custom_id: "r6", response: { status_code: 400 }, error: { code: "scripted_rejected" } },
  ]);
});

test("a line counts as soon as the one is done whose answer it gets", async () => {
  const upstream = createScriptedUpstream((call) => (lineOf(call) === 0 ? echo(call) : never()));
  const fixture = await createEngineFixture(upstream);
  const { id } = await fixture.addBatch(repeating(9, 3), { metadata });
  await fixture.engine.start();
  await fixture.until(id, () => (fixture.engine.progress(id)?.counts.completed ?? 0) > 0);
  expect(fixture.engine.progress(id)?.counts).toEqual({ total: 9, completed: 3, failed: 0 });
  // A process that ends hands its shards back with these counts, and the next one sends nothing twice.
  await fixture.engine.stop(0);
  expect((await fixture.get(id)).request_counts).toEqual({ total: 9, completed: 3, failed: 0 });
  const again = createScriptedUpstream(echo);
  await fixture.restart({ pickUpstreams: () => [again] });
  const batch = await fixture.until(id);
  expect(again.calls.map(lineOf)).toEqual([1, 2]);
  expect(batch).toMatchObject({
    request_counts: { total: 9, completed: 9, failed: 0 },
    usage: { total_tokens: 3 * 5 },
  });
});

test("at a cancel lines end as the ones whose answers they were to get", async () => {
  const upstream = createScriptedUpstream((call) => {
    if (lineOf(call) === 0) return echo(call);
    return lineOf(call) === 1 ? fails("unavailable", 3_600_000) : never();
  });
  const fixture = await createEngineFixture(upstream, { settings: { ...defaultSettings, cancelGraceMs: 0 } });
  const { id } = await fixture.addBatch(repeating(9, 3), { metadata });
  await fixture.engine.start();
  await fixture.until(id, () => {
    const progress = fixture.engine.progress(id);
    return progress?.counts.completed === 3 && progress.routes[0]?.waiting === 1;
  });
  const { version } = await fixture.get(id);
  await fixture.control.updateBatch(id, version, { status: "cancelling", cancelling_at: 1 });
  fixture.engine.wake();
  const batch = await fixture.until(id);
  expect(batch).toMatchObject({
    status: "cancelled",
    request_counts: { total: 9, completed: 3, failed: 0 },
    usage: { total_tokens: 5 },
  });
  const errors = await fixture.lines(batch.error_file_id);
  expect(errors.map((line) => [line.custom_id, line.error?.code])).toEqual([
    ["r1", "scripted_unavailable"],
    ["r2", "batch_cancelled"],
    ["r4", "scripted_unavailable"],
    ["r5", "batch_cancelled"],
    ["r7", "scripted_unavailable"],
    ["r8", "batch_cancelled"],
  ]);
});

test.each([
  ["who follows whom", "is damaged", followersKey],
  ["who follows whom", "is gone", followersKey],
  ["the plan", "is gone", planKey],
])("%s is found out again where it %s, and the batch goes on", async (_, how, keyOf) => {
  const upstream = createScriptedUpstream((call) => (lineOf(call) === 0 ? echo(call) : never()));
  const fixture = await createEngineFixture(upstream);
  const { id } = await fixture.addBatch(repeating(30, 10), { metadata });
  await fixture.engine.start();
  await fixture.until(id, () => fixture.engine.progress(id)?.counts.completed === 3);
  await fixture.engine.stop(0);
  const reader = await fixture.files.open(keyOf(id));
  const bytes = await reader.read(0, reader.bytes);
  if (how === "is gone") await fixture.files.delete(keyOf(id));
  else {
    const writer = await fixture.files.create(keyOf(id));
    await writer.write([bytes.fill(1, 30, 31)]);
    await writer.commit();
  }
  const again = createScriptedUpstream(echo);
  await fixture.restart({ pickUpstreams: () => [again] });
  const batch = await fixture.until(id);
  expect(batch).toMatchObject({ status: "completed", request_counts: { total: 30, completed: 30 } });
  expect(again.calls.map(lineOf).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(await fixture.lines(batch.output_file_id)).toHaveLength(30);
});
