import { setTimeout as sleep } from "node:timers/promises";
import { isFinal } from "../../../src/batch/lifecycle.ts";
import { knownFile } from "../oracle/requests.ts";
import { createServeWorld, type ServeWorld } from "../oracle/serve-world.ts";
import type { Script } from "../points.ts";

const concurrency = 3;

/** A server that gets two files and two batches, one of which is cancelled, and a file that is removed. */
export const serveScript: Script = {
  name: "serve",
  does: "nerif serve with two uploads, a batch of 9 lines, a cancelled one, a deletion and a shutdown",
  async prepare({ directory, witness, name }) {
    const world = createServeWorld({ directory, witness, concurrency });
    return {
      directory: world.directory,
      async play(env) {
        if (await world.server.start(env)) await drive(world, name);
        await world.server.stop();
        return world.server.process().ended;
      },
      finish: (spans) => world.finish(spans * concurrency),
      remove: world.remove,
    };
  },
};

/** Ends at the first call that is not answered: the server is dead. */
async function drive({ driver, server }: ServeWorld, name: string): Promise<void> {
  const kept = await driver.upload(knownFile(`${name}-kept`, 9));
  if (kept === null) return;
  const other = await driver.upload(knownFile(`${name}-other`, 30));
  if (other === null) return;
  const batch = await driver.create(kept.id, "24h");
  const cancelled = await driver.create(other.id, "24h");
  if (batch === null || cancelled === null) return;
  await driver.cancel(cancelled.id);
  for (const { id } of [batch, cancelled]) {
    for (
      let seen = await driver.look(id);
      seen !== null && !isFinal(seen.status);
      seen = await driver.look(id)
    ) {
      await sleep(20);
      if (server.process().child.signalCode !== null) return;
    }
  }
  await driver.remove(other.id);
}
