import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createSharedLock } from "../control/shared-lock.ts";
import { openSqliteControlStore } from "../control/sqlite.ts";
import { silentLogger } from "./deps.ts";
import { createTurns } from "./turns.ts";

test("a turn is one process's at a time, and the next one's when it has ended, however it did", async () => {
  const { turns } = await processes();
  const [a, b] = [turns("a"), turns("b")];
  const { promise: working, resolve: end } = Promise.withResolvers<void>();
  const first = a.take("batch_1", () => working, { onLost: fail });
  await settled();
  expect(await b.take("batch_1", fail, { onLost: fail })).toBe(false);
  expect(await b.take("batch_2", async () => {}, { onLost: fail })).toBe(true);
  end();
  expect(await first).toBe(true);
  await expect(
    b.take("batch_1", () => Promise.reject(new Error("broken")), { onLost: fail }),
  ).rejects.toThrow();
  expect(await a.take("batch_1", async () => {}, { onLost: fail })).toBe(true);
});

test("a turn is kept for as long as its process lives, and that of one that stood still is lost", async () => {
  const { clock, turns } = await processes();
  const [a, b] = [turns("a"), turns("b")];
  const { promise: working, resolve: end } = Promise.withResolvers<void>();
  const lost = Promise.withResolvers<void>();
  const first = a.take("batch_1", () => working, { onLost: lost.resolve });
  await settled();
  for (let beat = 0; beat < 10; beat += 1) {
    clock.advance(4_000);
    await settled();
    expect(await b.take("batch_1", fail, { onLost: fail })).toBe(false);
  }
  // No timer of a process that stands still is called meanwhile.
  clock.leap(12_000);
  const { promise: also, resolve: endAlso } = Promise.withResolvers<void>();
  const second = b.take("batch_1", () => also, { onLost: fail });
  await settled();
  clock.advance(0);
  clock.advance(4_000);
  await lost.promise;
  end();
  expect(await first).toBe(true);
  // What the one who lost it does at its end takes it from nobody.
  expect(await a.take("batch_1", fail, { onLost: fail })).toBe(false);
  endAlso();
  await second;
});

async function processes() {
  const directory = mkdtempSync(join(tmpdir(), "nerif-turns-"));
  const clock = createTestClock();
  let leapt = 0;
  const leaseClock = () => clock.monotonic() + leapt;
  const control = await openSqliteControlStore({ path: join(directory, "nerif.db"), leaseClock });
  onTestFinished(async () => {
    await control.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const common = { control, clock, lock: createSharedLock(), log: silentLogger };
  return {
    clock: {
      ...clock,
      leap(ms: number) {
        leapt += ms;
      },
    },
    turns: (holder: string) => createTurns({ ...common, holder }),
  };
}

/** By now a call to the control store that came before has been answered. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await turn();
}

function fail(): never {
  throw new Error("It was not its turn");
}
