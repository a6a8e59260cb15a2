import { NerifError } from "../../../src/batch/errors.ts";
import type { ControlStore } from "../../../src/control/control-store.ts";
import { isIn } from "../weather.ts";
import { dieNow, happens, isDiskFull, isLastCall } from "../world/calls.ts";
import { theWorld, type World } from "../world/world.ts";
import { type Call, type Database, reading } from "./database.ts";

const slowestMs = 3;

/**
 * The control store as one life sees it: calls take time, fail while the store is down, and have no effect any
 * more when the life is over. A call is done as a whole or not at all.
 */
export function createSimulatedControl(database: Database): ControlStore {
  const ask = database.connect();
  const methods = Object.keys(database.store).map((name) => [
    name,
    (...args: unknown[]) => perform(database, { name, args, ask }),
  ]);
  return Object.fromEntries(methods) as unknown as ControlStore;
}

interface LifeCall {
  name: string;
  args: unknown[];
  ask: Call;
}

async function perform(database: Database, call: LifeCall): Promise<unknown> {
  const world = theWorld();
  const { life } = world;
  // Asked five times a second, and only compared: it must cost nothing.
  if (call.name === "changeCounter") return isDown(world) ? refuse(call.name) : database.changes;
  if (call.name === "close") return undefined;
  if (life?.dead) return new Promise(() => {});
  world.trace.note(`control.${call.name}`);
  const dies = isLastCall(life);
  if (dies && world.random.chance(0.5)) {
    dieNow();
    return new Promise(() => {});
  }
  await pass(world);
  const writes = !reading.test(call.name);
  if (isDown(world)) refuse(call.name);
  if (writes && isDiskFull()) throw new NerifError("disk_full", `Cannot ${call.name}: the disk is full`);
  const result = await call.ask(call.name, call.args);
  if (dies) {
    dieNow();
    return new Promise(() => {});
  }
  if (writes && happens(world.weather.lostAnswers)) refuse(call.name);
  if (world.random.chance(0.5)) await pass(world);
  return result;
}

/** Some time, in which others do something and the life may end. */
function pass(world: World): Promise<void> {
  return new Promise((resolve) => world.later(world.life, world.random.next() * slowestMs, resolve));
}

function isDown({ weather, now }: World): boolean {
  return isIn(weather.storeDown, now);
}

function refuse(name: string): never {
  throw new NerifError("storage_unavailable", `Cannot ${name}: the control store is down`);
}
