import { theWorld } from "../world/world.ts";
import { createActions } from "./actions.ts";
import type { ClientOptions } from "./client-options.ts";
import { sleep } from "./connection.ts";
import { uploadAndCreate } from "./create.ts";

/** Makes batches and does to them what users do, at moments of its own. Resolves when it wants nothing more. */
export async function runClients(options: ClientOptions): Promise<void> {
  const { weather, random } = theWorld();
  const { batches, actions, until } = weather.clients;
  const choices = createActions(options);
  await Promise.all([
    ...Array.from({ length: batches }, async (_, nr) => {
      await sleep(random.next() * until);
      await uploadAndCreate(nr, options);
    }),
    ...Array.from({ length: actions }, async () => {
      await sleep(random.next() * until);
      await random.pick(choices)();
    }),
  ]);
}
