import { expect, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { openTestInstance } from "../../test/support/http-instance.ts";
import { createHealthService } from "./health.ts";

/** Counts what the stores are asked, which may fail. */
async function start() {
  const { control, fileStore, journal, engine } = await openTestInstance();
  const clock = createTestClock();
  const asked = { files: 0, control: 0 };
  const broken = { files: false };
  const health = createHealthService({
    ...{ journal, engine, monotonic: clock.monotonic },
    control: {
      ...control,
      unfinishedBatches(limit) {
        asked.control += 1;
        return control.unfinishedBatches(limit);
      },
    },
    files: {
      ...fileStore,
      async size(key) {
        asked.files += 1;
        if (broken.files) throw new Error("it is away");
        return fileStore.size(key);
      },
    },
  });
  return { health, clock, asked, broken };
}

test("whoever asks whether it is ready within a second, or at the same time, costs the storage one request", async () => {
  const { health, clock, asked } = await start();
  const answers = await Promise.all(Array.from({ length: 50 }, () => health.ready(null)));
  expect(answers.every(({ ready }) => ready)).toBe(true);
  clock.advance(999);
  await health.ready(null);
  expect(asked).toEqual({ files: 1, control: 1 });
  clock.advance(1);
  await health.ready(null);
  expect(asked).toEqual({ files: 2, control: 2 });
});

test("a storage that fails, and one that is back, is told a second later at the latest", async () => {
  const { health, clock, broken } = await start();
  expect(await health.ready("default")).toMatchObject({ ready: true });
  broken.files = true;
  clock.advance(1_000);
  const unready = { ready: false, reason: "storage_unavailable" };
  expect(await Promise.all([health.ready(null), health.ready("default")])).toMatchObject([unready, unready]);
  broken.files = false;
  clock.advance(1_000);
  expect(await health.ready(null)).toMatchObject({ ready: true, reason: null });
});

test("who has a batch sees at once what has become of it", async () => {
  const { health, asked } = await start();
  await health.ready("default");
  await health.ready("default");
  expect(asked).toEqual({ files: 1, control: 2 });
});
