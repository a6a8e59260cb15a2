import { createConnection } from "../clients/connection.ts";
import { createLedger } from "../clients/ledger.ts";
import { checkAll } from "../oracle/check-all.ts";
import type { Database } from "../program/database.ts";
import { createKeeper, type Keeper } from "../program/keeper.ts";
import { createReceivers } from "../program/receiver.ts";
import { dataDir } from "../program/server.ts";
import { createSimulatedUpstream } from "../program/upstream.ts";
import type { Scene } from "../run-seed.ts";
import { forgetOpenFiles } from "../substitutes/open-files.ts";
import { drawWeather, type Weather } from "../weather.ts";
import { createRandom } from "../world/random.ts";
import { createWorld } from "../world/world.ts";

export interface ModelWorld {
  scene: Scene;
  keeper: Keeper;
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>;
  /** Holds everything against the promises, after a last death. @throws Error that names what went against them */
  check(): Promise<void>;
}

/** A world in which nothing goes wrong but what the commands do. */
export async function createModelWorld(database: Database): Promise<ModelWorld> {
  database.clear();
  forgetOpenFiles();
  const world = createWorld(1, calm(drawWeather(createRandom(1))), { keepTrace: false });
  const scene: Scene = {
    ...{ world, database, ledger: createLedger(), connection: createConnection() },
    ...{ upstream: createSimulatedUpstream(), receivers: createReceivers() },
  };
  world.disk.makeDirectories(dataDir);
  world.disk.directory("/").beginSync().succeed();
  const keeper = createKeeper(scene);
  const pass = async (ms: number) => {
    const until = world.now + ms;
    await world.run(() => world.now >= until);
  };
  await pass(2_000);
  return {
    scene,
    keeper,
    pass,
    async check() {
      await pass(200_000);
      await keeper.restart();
      await checkAll(scene);
      if (world.violations.length > 0) throw new Error(world.violations.join("\n"));
    },
  };
}

function calm(weather: Weather): Weather {
  const never = {
    kills: [],
    stops: [],
    pauses: [],
    takeovers: [],
    jumps: [],
    diskFull: [],
    storeDown: [],
    outages: [],
  };
  const none = { unavailable: 0, reset: 0, throttled: 0, timeout: 0, malformed: 0 };
  return {
    ...weather,
    ...never,
    // Until the end, so that deaths are as the commands want them.
    ...{ quietAt: 0, callsPerLife: 0, shortWrites: 0, syncFailures: 0, lostAnswers: 0, flaky: none },
    ...{ slowestDisk: 2, slowestAnswer: 100, concurrency: 16, maxAttempts: 5, cancelGraceMs: 1_000 },
    limits: { shardLines: 2, routes: 64, shardAnswerBytes: 2 ** 26, unflushedBytes: 2 ** 24 },
    webhooks: { areThere: false, failures: 0 },
  };
}
