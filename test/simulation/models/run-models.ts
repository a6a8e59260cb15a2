import fc from "fast-check";
import { limits } from "../../../src/batch/limits.ts";
import { openDatabase } from "../program/database.ts";
import { replaceGlobals } from "../substitutes/timers.ts";
import { commands } from "./commands.ts";
import { createModelWorld } from "./world.ts";

/**
 * Random commands against a model of the contract, in a world where nothing else goes wrong.
 * @returns how many commands were run
 * @throws Error of fast-check, with the shortest list of commands that it found, and the seed
 */
export async function runModels({ runs, seed }: { runs: number; seed: number }): Promise<number> {
  const database = await openDatabase();
  replaceGlobals();
  let commandsRun = 0;
  const before = { ...limits };
  Object.assign(limits, { shardLines: 2 });
  try {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 20, size: "max" }), async (list) => {
        const world = await createModelWorld(database);
        commandsRun += [...list].length;
        await fc.asyncModelRun(
          () => ({ model: { batches: [], deleted: new Set<string>() }, real: world }),
          list,
        );
        await world.check();
      }),
      { numRuns: runs, seed },
    );
  } finally {
    Object.assign(limits, before);
  }
  return commandsRun;
}
