import { describe, expect, test } from "vitest";
import { createEngineFixture, requestLines } from "../../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../../test/support/scripted-upstream.ts";
import { lessWorkMetadata } from "../../batch/less-work.ts";
import type { UpstreamCall } from "../../upstreams/upstream.ts";
import { createPrefixOrder } from "./prefix-order.ts";

const metadata = lessWorkMetadata({ dedupe: false, groupByPrefix: true });

describe("createPrefixOrder()", () => {
  test("puts bodies with the longest common beginnings next to each other, else as they stand", () => {
    const [long, other] = ["a".repeat(3_000), "b".repeat(300)];
    const bodies = [
      `${long}1`,
      `${other}1`,
      `${long}${"x".repeat(2_000)}1`,
      `${other}2`,
      `${long}2`,
      `${long}${"x".repeat(2_000)}2`,
      `${long}3`,
    ];
    const order = orderOf(bodies);
    const places = (...lines: number[]) => lines.map((line) => order.indexOf(line));
    for (const group of [places(0, 4, 6), places(1, 3), places(2, 5)]) {
      expect(group).toEqual(group.map((_, i) => (group[0] as number) + i));
    }
    const family = places(0, 2, 4, 5, 6).sort();
    expect((family[4] as number) - (family[0] as number)).toBe(4);
  });

  test("leaves bodies as they are that begin all alike, or are all short and the same", () => {
    expect(orderOf(["c".repeat(5_000), "c".repeat(5_000)])).toEqual([0, 1]);
    expect(orderOf(["", "", ""])).toEqual([0, 1, 2]);
  });
});

test("lines that begin alike run one after another, over many shards, and results stay in their order", async () => {
  const upstream = createScriptedUpstream(echo, { concurrency: 1 });
  const fixture = await createEngineFixture(upstream);
  const count = 3_000;
  // Prefixes of 60 lines each, scattered over the file.
  const prefixOf = (i: number) => (i * 31) % 50;
  const input = requestLines(count, (i) => ({
    body: {
      model: "m",
      messages: [{ role: "system", content: `${prefixOf(i)} `.repeat(300) }],
      user: `${i}`,
    },
  }));
  const { id } = await fixture.addBatch(input, { metadata });
  await fixture.engine.start();
  const batch = await fixture.until(id);

  const sent = upstream.calls.map((call) => prefixOf(lineOf(call)));
  expect(sent).toHaveLength(count);
  const changes = sent.filter((prefix, i) => i > 0 && prefix !== sent[i - 1]).length;
  expect(changes).toBe(49);
  const output = await fixture.lines(batch.output_file_id);
  expect(output.map((line) => line.custom_id)).toEqual(Array.from({ length: count }, (_, i) => `r${i}`));
  for (const [i, line] of output.entries()) expect(line.response?.body?.echo).toMatchObject({ user: `${i}` });
});

test("a batch whose lines are grouped goes on where another process stopped, also without its plan", async () => {
  const upstream = createScriptedUpstream((call, nth) => (nth < 300 ? echo(call) : new Promise(() => {})));
  const fixture = await createEngineFixture(upstream);
  const input = requestLines(1_000, (i) => ({
    body: { model: "m", messages: [{ role: "system", content: `${i % 7} `.repeat(300) }], user: `${i}` },
  }));
  const { id } = await fixture.addBatch(input, { metadata });
  await fixture.engine.start();
  await fixture.until(id, () => fixture.engine.progress(id)?.counts.completed === 300);
  await fixture.engine.stop(0);
  await fixture.files.delete(`${id}.plan`);
  const again = createScriptedUpstream(echo);
  await fixture.restart({ pickUpstreams: () => [again] });
  const batch = await fixture.until(id);
  expect(batch.request_counts).toEqual({ total: 1_000, completed: 1_000, failed: 0 });
  expect(again.calls).toHaveLength(700);
  const output = await fixture.lines(batch.output_file_id);
  expect(output.map((line) => line.response?.body?.echo)).toMatchObject(
    Array.from({ length: 1_000 }, (_, i) => ({ user: `${i}` })),
  );
});

function lineOf(call: UpstreamCall): number {
  return Number(call.idempotencyKey.split(":")[1]);
}

function orderOf(bodies: string[]): number[] {
  const order = createPrefixOrder(bodies.length);
  for (const body of bodies) order.add(Buffer.from(body));
  return [...order.sorted()];
}
