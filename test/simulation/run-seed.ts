import { limits } from "../../src/batch/limits.ts";
import { runClients } from "./clients/client.ts";
import { type Connection, createConnection } from "./clients/connection.ts";
import { createLedger, type Ledger } from "./clients/ledger.ts";
import { checkAll } from "./oracle/check-all.ts";
import type { Database } from "./program/database.ts";
import { createKeeper } from "./program/keeper.ts";
import { createReceivers, type Receivers } from "./program/receiver.ts";
import { dataDir } from "./program/server.ts";
import { createSimulatedUpstream, type SimulatedUpstream } from "./program/upstream.ts";
import { forgetOpenFiles } from "./substitutes/open-files.ts";
import { drawWeather } from "./weather.ts";
import { createRandom } from "./world/random.ts";
import { createWorld, type World } from "./world/world.ts";

export interface SeedResult {
  seed: number;
  violations: string[];
  /** The same seed must give the same one. */
  hash: number;
  /** Of virtual time. */
  simulatedMs: number;
  lives: number;
  batches: number;
  sends: number;
  trace: string[];
}

/** How long everything may take to come to its end once nothing goes wrong any more. */
const livenessMs = 20 * 60_000;

export interface Scene {
  world: World;
  ledger: Ledger;
  connection: Connection;
  upstream: SimulatedUpstream;
  receivers: Receivers;
  database: Database;
}

/** One seed is one run: a world with its troubles, clients, and checks of all that was promised. */
export async function runSeed(
  seed: number,
  { database, keepTrace = false }: { database: Database; keepTrace?: boolean },
): Promise<SeedResult> {
  const weather = drawWeather(createRandom(seed ^ 0x5eed));
  const before = { ...limits };
  Object.assign(limits, weather.limits);
  database.clear();
  forgetOpenFiles();
  const world = createWorld(seed, weather, { keepTrace });
  const scene: Scene = {
    ...{ world, database, ledger: createLedger(), connection: createConnection() },
    upstream: createSimulatedUpstream(),
    receivers: createReceivers(),
  };
  // The control store makes the data directory, and its name durable, before anything else is done.
  world.disk.makeDirectories(dataDir);
  world.disk.directory("/").beginSync().succeed();
  await scene.receivers.register(database);
  const keeper = createKeeper(scene);
  try {
    await live(scene);
    await keeper.restart();
    await checkAll(scene);
  } catch (reason) {
    world.violation(reason instanceof Error ? (reason.stack ?? reason.message) : String(reason));
  } finally {
    Object.assign(limits, before);
  }
  return {
    seed,
    violations: world.violations,
    hash: world.trace.hash,
    simulatedMs: world.now,
    lives: keeper.lives,
    batches: scene.ledger.batches.size,
    sends: scene.upstream.sends.length,
    trace: world.trace.lines,
  };
}

/** Clients do what they do, the weather too; then all is quiet, and everything has to come to its end. */
async function live({ world, ledger, connection, database }: Scene): Promise<void> {
  let clientsDone = false;
  runClients({ ledger, connection }).then(
    () => {
      clientsDone = true;
    },
    (reason) => world.violation(`a client stumbled: ${reason.stack}`),
  );
  const { quietAt, jumps } = world.weather;
  // What is due by the wall clock is due later when that is set back.
  const setBack = jumps.reduce((sum, { ms }) => sum + Math.max(0, -ms), 0);
  const deadline = quietAt + livenessMs + setBack;
  let changes = -1;
  let unfinished = 1;
  let looking = false;
  await world.run(() => {
    if (world.now > deadline) {
      world.violation(`not everything has come to its end: ${unfinished} batches or events wait`);
      return true;
    }
    if (!clientsDone || world.now < world.weather.quietAt) return false;
    if (!looking && database.changes !== changes) {
      changes = database.changes;
      looking = true;
      countUnfinished(database).then((count) => {
        unfinished = count;
        looking = false;
      });
      return false;
    }
    return !looking && unfinished === 0;
  });
}

/** Batches that are not final, and events that nobody has taken yet. */
async function countUnfinished({ call }: Database): Promise<number> {
  const batches = await call("unfinishedBatches", []);
  const events = await call("nextDeliveries", [{ limit: 100, exceptEndpoints: [], except: [] }]);
  return [batches, events].flat().length;
}
