import { mkdirSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BatchObject } from "../../../src/batch/batch.ts";
import { countRepeats } from "./check-calls.ts";
import { checkServer } from "./check-server.ts";
import { createDriver, type Driver } from "./driver.ts";
import { type History, openHistory } from "./history.ts";
import { createServer, type Server } from "./server.ts";
import type { Witness } from "./witness.ts";

/** A server on a data directory of its own, with a client that remembers what it was told. */
export interface ServeWorld {
  directory: string;
  server: Server;
  history: History;
  driver: Driver;
  /** More to hold against it, with all batches final: run before and after the last restart. */
  checks: ((batches: readonly BatchObject[]) => Promise<string[]>)[];
  /**
   * With the faults gone: lets everything end, holds it against the history and the witness, and looks once more
   * after a restart.
   * @param mayRepeat calls that may have been made in vain (I5)
   */
  finish(mayRepeat: number): Promise<Finished>;
  remove(): void;
}

export interface Finished {
  violations: string[];
  repeats: number;
  /** Lines that were answered, over all batches. */
  lines: number;
  /** Batches by their final status. */
  ended: Record<string, number>;
  /** How long it took until every batch was final, in milliseconds. */
  settledMs: number;
}

export interface ServeWorldOptions {
  /** Made anew. */
  directory: string;
  witness: Pick<Witness, "url" | "calls">;
  concurrency: number;
  /** By which the witness answers. Default 0. */
  seed?: number;
  args?: readonly string[];
  /** One that works in `work` below the directory. Default: `nerif serve` there, with `args`. */
  server?: Server;
  /** See `checkServer`. */
  patienceMs?: number;
  /** Journals that are left, when all processes have ended. Default: those in the data directory. */
  leftovers?: (directory: string) => Promise<string[]>;
}

export function createServeWorld(options: ServeWorldOptions): ServeWorld {
  const { directory, witness, concurrency, seed = 0, args = [] } = options;
  const { leftovers = journalsLeft, patienceMs } = options;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, "work"), { recursive: true });
  const cwd = realpathSync(join(directory, "work"));
  // Beside what is cut off, broken and put together again: the client is on another machine.
  const history = openHistory(join(directory, "history.jsonl"));
  const server = options.server ?? createServer({ directory: cwd, upstream: witness.url, concurrency, args });

  function calls() {
    const known = new Set(
      [...history.sent.values()].flatMap((file) => file.requests.map(({ digest }) => digest)),
    );
    return { known, made: witness.calls().filter(({ body_sha256 }) => known.has(body_sha256)) };
  }

  const checks: ServeWorld["checks"] = [];

  async function examine(mayRepeat: number): Promise<Finished> {
    if (!(await server.start())) {
      const { stderr } = server.process().output();
      return {
        violations: [`I9 it does not start: ${stderr.slice(-500)}`],
        repeats: 0,
        lines: 0,
        ended: {},
        settledMs: 0,
      };
    }
    const held = {
      history,
      calls: () => calls().made,
      seed,
      ...(patienceMs === undefined ? {} : { patienceMs }),
    };
    const first = await checkServer(server.ask, held);
    const { violations } = first;
    for (const check of checks) violations.push(...(await check(first.batches)));
    await stop();
    if (!(await server.start())) violations.push(`I9 it does not start again: ${lastWords()}`);
    const second = await checkServer(server.ask, held);
    for (const check of checks) violations.push(...(await check(second.batches)));
    for (const [id, before] of first.fingerprint) {
      if (second.fingerprint.get(id) !== before) violations.push(`I7 ${id} has changed after its end`);
    }
    await stop();
    violations.push(...(await leftovers(cwd)).map((path) => `I7 ${path} was left behind`));
    const { made, known } = calls();
    const { repeats } = countRepeats(made, known);
    if (repeats > mayRepeat) violations.push(`I5 ${repeats} calls repeated, ${mayRepeat} may be`);
    const ended = Object.groupBy(first.batches, ({ status }) => status);
    const counts = Object.entries(ended).map(([status, of]) => [status, of.length]);
    const { lines, settledMs } = first;
    return { violations, repeats, lines, ended: Object.fromEntries(counts), settledMs };

    async function stop(): Promise<void> {
      const code = await server.stop();
      if (code !== 0) violations.push(`I9 it ended with ${code}: ${lastWords()}`);
    }
  }

  function lastWords(): string {
    return server.process().output().stderr.slice(-500);
  }

  return {
    directory: cwd,
    checks,
    server,
    history,
    driver: createDriver(history, server.ask),
    async finish(mayRepeat) {
      const found = await examine(mayRepeat).catch((reason: unknown) => {
        server.assertUndisturbed();
        throw reason;
      });
      server.assertUndisturbed();
      return found;
    },
    remove() {
      history.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Journals of batches that are final. A plan of which a crash left nothing but itself goes after an hour, as all that
 * nothing names.
 */
async function journalsLeft(directory: string): Promise<string[]> {
  try {
    return readdirSync(join(directory, "data/journal")).map((name) => `journal/${name}`);
  } catch {
    // Nothing was ever written there.
    return [];
  }
}
