import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../../test/support/scripted-upstream.ts";
import { NerifError } from "../../batch/errors.ts";
import { limits } from "../../batch/limits.ts";
import { patiently } from "./patiently.ts";

const full = new NerifError("disk_full", "Cannot write: the disk is full");
const away = new NerifError("storage_unavailable", "Cannot read: the store is away");

describe("while the disk is full for longer than a lease", () => {
  const changes = ["renewLease", "leaseShards", "finishShard"] as const;

  test.for([
    ...changes.map((one) => ({ what: one, refused: [one] })),
    { what: "anything", refused: changes },
  ])("no call is sent again where it refuses $what", async ({ refused }) => {
    const clock = createTestClock();
    const slow = Promise.withResolvers<void>();
    let isFull = false;
    let refusals = 0;
    const upstream = createScriptedUpstream(async (call, nth) => {
      isFull ||= nth === 0;
      if (nth === 0) await slow.promise;
      return echo(call);
    });
    const fixture = await createEngineFixture(upstream, { clock });
    for (const name of refused) {
      const change = fixture.control[name] as (...given: unknown[]) => Promise<never>;
      fixture.control[name] = async (...given: unknown[]) => {
        if (!isFull) return change(...given);
        refusals += 1;
        throw full;
      };
    }
    await fixture.engine.start();
    const lines = 2 * limits.shardLines + 1;
    const { id } = await fixture.addBatch(requestLines(lines));
    while (upstream.calls.length === 0) await turn();
    for (let seconds = 0; seconds < 30; seconds += 1) {
      clock.advance(1_000);
      for (let turns = 0; turns < 20; turns += 1) await turn();
    }
    expect(refusals).toBeGreaterThan(1);
    isFull = false;
    slow.resolve();
    let batch = await fixture.get(id);
    for (; batch.status !== "completed"; batch = await fixture.get(id)) {
      clock.advance(1_000);
      for (let turns = 0; turns < 20; turns += 1) await turn();
    }
    expect(batch.request_counts).toEqual({ total: lines, completed: lines, failed: 0 });
    expect(upstream.calls).toHaveLength(lines);
  });

  test("a stop does not wait for room beyond its grace", async () => {
    const upstream = createScriptedUpstream(echo);
    const fixture = await createEngineFixture(upstream);
    const refused = Promise.withResolvers<void>();
    fixture.control.finishShard = async () => {
      refused.resolve();
      throw full;
    };
    await fixture.engine.start();
    await fixture.addBatch(requestLines(3));
    await refused.promise;
    await fixture.engine.stop(0);
    expect(fixture.engine.running).toBe(false);
  });
});

describe("patiently", () => {
  test("waits longer each time for storage that is away, and a second each time for room", async () => {
    const clock = createTestClock();
    const failures = [away, away, away, full, full, full, away];
    const told: [string, number][] = [];
    const done = patiently(
      async () => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        return "done";
      },
      {
        clock,
        signal: new AbortController().signal,
        isOver: () => false,
        onAway: ({ code }, ms) => told.push([code, ms]),
      },
    );
    while (failures.length > 0) {
      clock.advance(1_000);
      await turn();
    }
    clock.advance(15_000);
    expect(await done).toBe("done");
    expect(told).toEqual([
      ["storage_unavailable", 1_000],
      ["storage_unavailable", 2_000],
      ["storage_unavailable", 4_000],
      ["disk_full", 1_000],
      ["storage_unavailable", 2_000],
    ]);
  });

  test.for([
    { what: "storage that is away when waiting is over", reason: away, isOver: true, aborted: false },
    { what: "a full disk when nothing is waited for any more", reason: full, isOver: false, aborted: true },
    { what: "any other failure", reason: new Error("a mistake"), isOver: false, aborted: false },
  ])("gives $what on at once", async ({ reason, isOver, aborted }) => {
    const signal = aborted ? AbortSignal.abort() : new AbortController().signal;
    const told: number[] = [];
    const clock = createTestClock();
    const doing = patiently(() => Promise.reject(reason), {
      ...{ clock, signal, isOver: () => isOver },
      onAway: (_, ms) => told.push(ms),
    });
    await expect(doing).rejects.toBe(reason);
    expect(told).toEqual([]);
  });
});
