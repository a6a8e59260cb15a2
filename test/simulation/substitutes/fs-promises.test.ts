import { expect, test } from "vitest";
import { drawWeather } from "../weather.ts";
import { createRandom } from "../world/random.ts";
import { createWorld } from "../world/world.ts";
import { rm } from "./fs-promises.ts";

test("of two who remove one directory at a time, neither fails and nothing is left", async () => {
  const world = createWorld(1, drawWeather(createRandom(1)), { keepTrace: false });
  world.disk.makeDirectories("/data/batch");
  for (const name of ["1", "2", "3", "4"]) world.disk.create(`/data/batch/${name}`, { exclusive: true });
  let ended = 0;
  const removals = [1, 2].map(() =>
    rm("/data/batch").finally(() => {
      ended += 1;
    }),
  );

  await world.run(() => ended === removals.length);

  expect(await Promise.allSettled(removals)).toEqual(
    removals.map(() => ({ status: "fulfilled", value: undefined })),
  );
  expect(world.disk.find("/data/batch")).toBeNull();
});
