import { expect, test } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { fails } from "../../../test/support/scripted-upstream.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Lane, LineSource } from "./lane.ts";
import type { Line } from "./line.ts";
import { newHistory } from "./retry.ts";
import { createRouteQueue } from "./route-queue.ts";
import type { ShardRun } from "./shard-run.ts";

test("a line that waits for another try is not sent early because one before it goes back with its shard", async () => {
  const clock = createTestClock();
  const waits = [0, 1];
  let source: LineSource | undefined;
  const lane = {
    ...{ circuit: { open: null }, limit: 10, waiting: 0 },
    add(added: LineSource) {
      source = added;
    },
  } as unknown as Lane;
  const dispatcher = { lane: () => lane, pump() {} } as unknown as Dispatcher;
  const queue = createRouteQueue(
    { endpoint: "/v1/embeddings", model: "m" },
    {
      ...{ dispatchers: [dispatcher], clock, maxAttempts: 5, random: () => waits.shift() ?? 1 },
      ...{ signal: new AbortController().signal, share: { project: "p", weight: 1, deadline: 0 } },
      ...{ onTaken() {}, onAnswered() {} },
    },
  );
  const [early, late] = [aLine(true), aLine()];
  for (const line of [early, late]) queue.push(line);
  for (const line of [early, late]) expect(source?.take(clock.monotonic())).toBe(line);
  for (const line of [early, late]) source?.answered(line, fails("unavailable"), clock.monotonic());
  clock.advance(1);
  expect(source?.take(clock.monotonic())).toBeNull();
  expect([early.wasDropped, queue.waiting]).toEqual([true, 1]);
  clock.advance(600_000);
  expect(source?.take(clock.monotonic())).toBe(late);
});

function aLine(lapsed = false): Line & { wasDropped: boolean } {
  const line = {
    ...{ batchId: "batch_1", index: 0, endpoint: "/v1/embeddings", model: "m", customId: '"a"' },
    ...{
      body: Buffer.from("{}"),
      history: newHistory(),
      last: null,
      dueAt: 0,
      sentAt: 0,
      tokens: 0,
      atOnce: 0,
    },
    ...{ source: null, failedOn: null, wasDropped: false },
    shard: {
      full: false,
      get lapsed() {
        return lapsed && line.history.failures > 0;
      },
      dropped() {
        line.wasDropped = true;
      },
    } as unknown as ShardRun,
  };
  return line;
}
