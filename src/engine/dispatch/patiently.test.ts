import { mkdtempSync, rmSync, writevSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../../test/support/scripted-upstream.ts";
import { NerifError } from "../../batch/errors.ts";
import { limits } from "../../batch/limits.ts";
import { createSharedLock } from "../../control/shared-lock.ts";
import { createDiskJournal } from "../../journal/disk.ts";
import { patiently } from "./patiently.ts";

const full = new NerifError("disk_full", "Cannot write: the disk is full");
const away = new NerifError("storage_unavailable", "Cannot read: the store is away");

/** Nothing but calls that come back: then those for leases and counts are refused, for longer than a lease. */
async function runThrough({ refusal, refused, shared }: Trouble) {
  const clock = createTestClock();
  const slow = Promise.withResolvers<void>();
  let isRefused = false;
  let refusals = 0;
  let leases = 0;
  const upstream = createScriptedUpstream(async (call, nth) => {
    isRefused ||= nth === 0;
    if (nth === 0) await slow.promise;
    return echo(call);
  });
  const told: string[] = [];
  const fixture = await createEngineFixture(upstream, {
    clock,
    onProblem: (_, { code }) => told.push(code),
    ...(shared && { lock: createSharedLock() }),
  });
  for (const name of refused) {
    const change = fixture.control[name] as (...given: unknown[]) => Promise<never>;
    fixture.control[name] = async (...given: unknown[]) => {
      if (!isRefused) return change(...given);
      refusals += 1;
      throw refusal;
    };
  }
  const { leaseShards } = fixture.control;
  fixture.control.leaseShards = async (request) => {
    const leased = await leaseShards(request);
    leases += leased.length;
    return leased;
  };
  await fixture.engine.start();
  const lines = 2 * limits.shardLines + 1;
  const { id } = await fixture.addBatch(requestLines(lines));
  while (upstream.calls.length === 0) await turn();
  async function pass(): Promise<void> {
    clock.advance(1_000);
    for (let turns = 0; turns < 20; turns += 1) await turn();
  }
  for (let seconds = 0; seconds < 30; seconds += 1) await pass();
  expect(refusals).toBeGreaterThan(1);
  isRefused = false;
  slow.resolve();
  while ((await fixture.get(id)).status !== "completed") await pass();
  const { request_counts: counts } = await fixture.get(id);
  expect(counts).toEqual({ total: lines, completed: lines, failed: 0 });
  return { repeated: upstream.calls.length - lines, leases, told };
}

interface Trouble {
  refusal: NerifError;
  refused: readonly ("renewLease" | "leaseShards" | "finishShard")[];
  shared: boolean;
}

describe.for([
  { what: "the disk is full", refusal: full },
  { what: "the control store is away", refusal: away },
])("while $what for longer than a lease", ({ refusal }) => {
  const changes = ["renewLease", "leaseShards", "finishShard"] as const;

  test.for([
    ...changes.map((one) => ({ what: one, refused: [one] })),
    { what: "anything", refused: changes },
  ])("the only executor sends nothing again and leases nothing twice: $what", async ({ refused }) => {
    const { told, ...done } = await runThrough({ refusal, refused, shared: false });
    expect(done).toEqual({ repeated: 0, leases: 3 });
    // Shards and loaders were refused again and again.
    expect(told.length).toBeLessThanOrEqual(2);
  });

  test("one executor among others gives up what it cannot renew", async () => {
    const { repeated } = await runThrough({ refusal, refused: ["renewLease"], shared: true });
    expect(repeated).toBe(1);
  });

  test("one executor among others waits for shards as long as it can renew what it has", async () => {
    const done = await runThrough({ refusal, refused: ["leaseShards"], shared: true });
    expect(done).toMatchObject({ repeated: 0, leases: 3 });
  });
});

test("a call in flight is kept when the other shard of a cancelled batch cannot be handed back", async () => {
  const slow = Promise.withResolvers<void>();
  const upstream = createScriptedUpstream((call) => slow.promise.then(() => echo(call)));
  const fixture = await createEngineFixture(upstream);
  const { releaseShard } = fixture.control;
  let refused: number | null = null;
  fixture.control.releaseShard = async (lease, ...given) => {
    if (refused === null) {
      refused = lease.shard;
      throw full;
    }
    if (refused === lease.shard) slow.resolve();
    return releaseShard(lease, ...given);
  };
  await fixture.engine.start();
  const body = (i: number) => ({ model: `m${i % 2}`, messages: [] });
  const { id } = await fixture.addBatch(requestLines(2 * limits.shardLines, (i) => ({ body: body(i) })));
  while (upstream.calls.length === 0) await turn();
  const { version } = await fixture.get(id);
  await fixture.control.updateBatch(id, version, { status: "cancelling", cancelling_at: 1 });
  fixture.engine.wake();
  const batch = await fixture.until(id);
  expect(batch.request_counts.completed).toBe(upstream.calls.length);
  expect(refused).not.toBeNull();
});

test("a stop does not wait for room where all that was answered is in the journal", async () => {
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
  // Longer than a test may take.
  await fixture.engine.stop(600_000);
  expect(upstream.calls).toHaveLength(3);
});

test("a stop ends within its grace where the last answer finds no room, and nothing can be noted", async () => {
  const directory = mkdtempSync(join(tmpdir(), "nerif-full-"));
  let isFull = false;
  const journal = createDiskJournal({
    directory,
    onFatal(reason) {
      throw reason;
    },
    calls: {
      write(...given) {
        if (isFull) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
        return writevSync(...given);
      },
    },
  });
  const last = Promise.withResolvers<void>();
  const lines = limits.shardLines + 1;
  const upstream = createScriptedUpstream(async (call) => {
    if (Buffer.from(call.body).includes(`Say ${lines - 1}"`)) await last.promise;
    return echo(call);
  });
  const fixture = await createEngineFixture(upstream, { journal });
  const refused = Promise.withResolvers<void>();
  for (const name of ["finishShard", "renewLease", "releaseShard"] as const) {
    fixture.control[name] = async () => {
      refused.resolve();
      throw full;
    };
  }
  await fixture.engine.start();
  await fixture.addBatch(requestLines(lines));
  await refused.promise;
  while (upstream.calls.length < lines) await turn();
  isFull = true;
  const stopped = fixture.engine.stop(200);
  last.resolve();
  await stopped;
  expect(fixture.engine.running).toBe(false);
  isFull = false;
  rmSync(directory, { recursive: true });
});

describe("patiently", () => {
  test("waits longer each time, up to 15 s for storage that is away and up to 5 s for room", async () => {
    const clock = createTestClock();
    const failures = [away, away, away, away, away, away, full, full];
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
    clock.advance(5_000);
    expect(await done).toBe("done");
    const seconds = told.map(([code, ms]) => [code, ms / 1_000]);
    expect(seconds).toEqual([
      ...[1, 2, 4, 8, 15, 15].map((s) => ["storage_unavailable", s]),
      ...[5, 5].map((s) => ["disk_full", s]),
    ]);
  });

  test.for([
    { what: "storage that is away when waiting is over", reason: away, isOver: true, aborted: false },
    { what: "a full disk when others may use their room", reason: full, isOver: true, aborted: false },
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
