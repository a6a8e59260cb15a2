import { expect, it, onTestFinished, vi } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { aFile } from "../../../test/support/control-rows.ts";
import { openTestInstance } from "../../../test/support/http-instance.ts";
import { createMemoryFileStore } from "../../files/memory.ts";
import { type EngineDeps, silentLogger } from "../deps.ts";
import { defaultSettings } from "../settings.ts";
import { createTurns } from "../turns.ts";
import { createWatch } from "../watch.ts";
import { createHousekeeping } from "./housekeeping.ts";

/** Keeps house where three files are to be removed, and holds the removal of the first. */
async function createFixture() {
  const clock = createTestClock();
  const { control, journal } = await openTestInstance({ clock });
  const batches = vi.spyOn(journal, "batches");
  const first = Promise.withResolvers<void>();
  const lock = {
    shared: false,
    acquire: async () => true,
    holder: async () => null,
    release: async () => {},
  };
  const removed: string[] = [];
  let abandoned = 0;
  const deps: EngineDeps = {
    ...{ control, journal, clock, lock, settings: defaultSettings, log: silentLogger },
    files: {
      ...createMemoryFileStore({ now: clock.now }),
      async delete(key) {
        removed.push(key);
        await first.promise;
      },
      async removeAbandoned() {
        abandoned += 1;
      },
    },
    pickUpstreams: () => [],
    knowsModel: () => true,
  };
  for (let count = 0; count < 3; count += 1) await control.insertFile(aFile({ expires_at: 1 }));
  const watch = createWatch(deps);
  const house = createHousekeeping(deps, { watch, turns: createTurns({ ...deps, holder: "test" }) });
  house.begin();
  onTestFinished(async () => {
    first.resolve();
    await house.stop(0);
    watch.close();
  });
  await vi.waitUntil(() => removed.length === 1);
  const sweeps = () => batches.mock.calls.length;
  return { clock, house, removed, sweeps, abandoned: () => abandoned, letGo: () => first.resolve() };
}

it("a stop waits for what is just being removed, and for nothing more", async () => {
  const { house, removed, letGo } = await createFixture();
  const stopped = house.stop(0);
  letGo();
  await stopped;
  expect(removed).toHaveLength(1);
});

it("a sweep that takes longer than ten minutes is alone, and the next one comes ten minutes after it", async () => {
  const { clock, removed, sweeps, letGo } = await createFixture();
  clock.advance(20 * 60_000);
  expect(sweeps()).toBe(1);
  letGo();
  await vi.waitUntil(() => removed.length === 3);
  await vi.waitUntil(() => {
    clock.advance(10 * 60_000);
    return sweeps() > 1;
  });
});

it("each sweep of a process that executes alone removes what killed writers left, which was too young at its start", async () => {
  const { clock, abandoned, sweeps, letGo } = await createFixture();
  expect(abandoned()).toBe(1);
  letGo();
  await vi.waitUntil(() => {
    clock.advance(10 * 60_000);
    return sweeps() > 1;
  });
  expect(abandoned()).toBeGreaterThan(1);
});
