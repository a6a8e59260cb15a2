import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { aRunningBatch, aTally, someShards } from "../../test/support/control-rows.ts";
import { openSqliteControlStore } from "../control/sqlite.ts";
import { createOthers } from "./others.ts";

test("batches that others have cost one question every two seconds, and each is told once of its news", async () => {
  const { clock, control, others, questions, held } = await open();
  const batches = [await held(), await held(), await held()];
  const news: string[] = [];
  for (const batch of batches) others.wait(batch, () => news.push(batch.id));
  const look = async () => {
    clock.advance(2_000);
    for (let step = 0; step < 20; step += 1) await turn();
  };
  await look();
  await look();
  expect([questions(), news]).toEqual([2, []]);
  const [first, second, third] = batches;
  if (first === undefined || second === undefined || third === undefined) throw new Error("None is held");
  await control.releaseShard(first.lease, [], aTally(1));
  await control.updateBatch(second.id, second.version, { status: "cancelling" });
  await look();
  expect(news.toSorted()).toEqual([first.id, second.id].toSorted());
  await control.finishShard(third.lease, [], aTally(512));
  await look();
  expect(news.length).toBe(3);
  // Nobody waits any more.
  await look();
  expect([questions(), news.length]).toEqual([4, 3]);
});

test("who no longer waits is told nothing, and who waits while the store is away looks himself", async () => {
  const { clock, control, others, questions, held } = await open();
  const news: string[] = [];
  others.wait(await held(), () => news.push("left"))();
  clock.advance(10_000);
  expect(questions()).toBe(0);
  others.wait(await held(), () => news.push("away"));
  control.heldBatches = () => Promise.reject(new Error("away"));
  clock.advance(2_000);
  await turn();
  expect(news).toEqual(["away"]);
});

async function open() {
  const directory = mkdtempSync(join(tmpdir(), "nerif-others-"));
  const clock = createTestClock();
  const control = await openSqliteControlStore({
    path: join(directory, "nerif.db"),
    leaseClock: clock.monotonic,
  });
  onTestFinished(async () => {
    await control.close();
    rmSync(directory, { recursive: true });
  });
  let questions = 0;
  const { heldBatches } = control;
  control.heldBatches = (batches) => {
    questions += 1;
    return heldBatches(batches);
  };

  /** A batch whose one shard somebody has. */
  async function held() {
    const batch = aRunningBatch();
    await control.insertBatch(batch);
    await control.insertShards(batch.id, someShards(0, 1));
    const route = { endpoint: "/v1/chat/completions", model: "m" };
    const request = { ...route, batchId: batch.id, holder: "other", limit: 1, leaseMs: 60_000 };
    const [lease] = await control.leaseShards(request);
    if (lease === undefined) throw new Error("Nothing is leased");
    return { ...batch, lease };
  }

  return { clock, control, others: createOthers({ control, clock }), questions: () => questions, held };
}
