import { createRunWorld } from "../oracle/run-world.ts";
import type { Script } from "../points.ts";

const concurrency = 3;

/** A small `nerif run`, from an empty data directory to its results. */
export const runScript: Script = {
  name: "run",
  does: "nerif run of 12 lines",
  async prepare({ directory, witness, name }) {
    const world = createRunWorld({ directory, witness, name, lines: 12, concurrency });
    return {
      directory: world.directory,
      play: (env) => world.start(env).ended,
      finish: (spans) => world.finish(spans * concurrency),
      remove: world.remove,
    };
  },
};
