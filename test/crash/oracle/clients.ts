import { setTimeout as sleep } from "node:timers/promises";
import { isFinal } from "../../../src/batch/lifecycle.ts";
import { knownFile } from "./requests.ts";
import type { ServeWorld } from "./serve-world.ts";

/** Clients that are busy with a server until they are stopped. */
export interface Clients {
  /** Resolves when the last call has ended. */
  stop(): Promise<void>;
}

/** Batches of one round; then the clients only look. */
const mostBatches = 10;

export function createClients(
  world: ServeWorld,
  { name, random }: { name: string; random: () => number },
): Clients {
  const { driver, history } = world;
  let files = 0;
  const loops = [0, 1].map(() => loopOf(act, { pause: 60, random }));

  async function act(): Promise<void> {
    const open = [...history.batches].filter(([, { seen }]) => !isFinal(seen.status)).map(([id]) => id);
    const pick = random();
    if (files < mostBatches && (pick < 0.35 || open.length === 0)) {
      await begin();
      return;
    }
    const id = open[Math.floor(random() * open.length)];
    if (id === undefined) return;
    if (pick >= 0.35 && pick < 0.38) await driver.cancel(id);
    else if (pick >= 0.38 && pick < 0.46) await removeOne();
    else await driver.look(id);
  }

  /** A file is used for one batch only, also when nobody answered: two of one file would look like repeated calls. */
  async function begin(): Promise<void> {
    files += 1;
    const lines = random() < 0.2 ? 600 + Math.floor(random() * 900) : 5 + Math.floor(random() * 200);
    const file = await driver.upload(knownFile(`${name}-${files}`, lines));
    if (file !== null) await driver.create(file.id, random() < 0.2 ? "2s" : "24h");
  }

  async function removeOne(): Promise<void> {
    const used = [...history.batches.values()].filter(({ seen }) => isFinal(seen.status));
    const one = used[Math.floor(random() * used.length)];
    if (one !== undefined) await driver.remove(one.file);
  }

  return {
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}

/** Acts again and again. @param pause the longest between two acts, in milliseconds */
export function loopOf(
  act: () => Promise<void>,
  { pause, random }: { pause: number; random: () => number },
): Clients {
  let stopped = false;
  const ended = loop();

  async function loop(): Promise<void> {
    while (!stopped) {
      await act();
      await sleep(10 + random() * pause);
    }
  }

  return {
    async stop() {
      stopped = true;
      await ended;
    },
  };
}
