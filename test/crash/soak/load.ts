import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { countRepeats } from "../oracle/check-calls.ts";
import { checkServer } from "../oracle/check-server.ts";
import { createServeWorld, type ServeWorld } from "../oracle/serve-world.ts";
import type { Server } from "../oracle/server.ts";
import { startWitness } from "../oracle/witness.ts";
import { createSoakClients } from "./clients.ts";

/** A server that is used for hours: what was checked is deleted, so that neither the disk nor the test fills up. */
export interface Load extends AsyncDisposable {
  server: Server;
  /** Lets clients be busy. @param name not used before */
  begin(name: string): { stop(): Promise<void> };
  /**
   * While no client is busy: lets everything end, holds it against what was acknowledged and what the witness saw,
   * and deletes all files.
   * @param mayRepeat calls that may have been made in vain (I5)
   */
  rest(mayRepeat: number): Promise<Rested>;
}

export interface Rested {
  violations: string[];
  /** Since the last rest. */
  counts: { lines: number; batches: number; reads: number; repeated: number };
}

export interface LoadOptions {
  /** Made anew. */
  directory: string;
  seed: number;
  random: () => number;
  concurrency: number;
  /** As `nerif simulate` takes it. */
  latency: string;
  linesPerSecond: number;
}

export async function createLoad(options: LoadOptions): Promise<Load> {
  const { directory, seed, random, concurrency, latency, linesPerSecond } = options;
  const log = join(directory, "witness");
  mkdirSync(log, { recursive: true });
  const witness = await startWitness({ directory: log, latency, errorRate: 0.02, seed });
  const world = createServeWorld({ directory: join(directory, "server"), witness, concurrency, seed });
  const { server, history } = world;
  /** Batches that were checked, as they were then. */
  const done = new Map<string, string>();
  let reads = 0;

  return {
    server,
    begin: (name) =>
      createSoakClients(world, {
        ...{ name, random, linesPerSecond, done },
        onRead: () => {
          reads += 1;
        },
      }),
    async rest(mayRepeat) {
      const known = new Set(
        [...history.sent.values()].flatMap((file) => file.requests.map((of) => of.digest)),
      );
      const calls = () => witness.calls().filter(({ body_sha256 }) => known.has(body_sha256));
      const checked = await checkServer(server.ask, { history, calls, seed, done });
      const { violations, lines } = checked;
      const { repeats } = countRepeats(calls(), known);
      if (repeats > mayRepeat) violations.push(`I5 ${repeats} calls repeated, ${mayRepeat} may be`);
      const counts = { lines, batches: checked.batches.length - done.size, reads, repeated: repeats };
      for (const { id } of checked.batches) done.set(id, checked.fingerprint.get(id) ?? "");
      violations.push(...(await forget(world, checked.files)));
      witness.forget();
      reads = 0;
      return { violations, counts };
    },
    async [Symbol.asyncDispose]() {
      await server.kill();
      await witness.stop();
      history.close();
    },
  };
}

/** Deletes the files; of what the client knew only that they are gone stays, so that one that comes back shows. */
async function forget({ server, history }: ServeWorld, files: readonly string[]): Promise<string[]> {
  const violations: string[] = [];
  for (const id of files) {
    const response = await server.ask(`/v1/files/${id}`, { method: "DELETE" });
    if (!response.ok)
      violations.push(`I9 ${id} cannot be deleted: ${response.status} ${await response.text()}`);
    else history.files.set(id, { file: gone, removal: "done" });
  }
  for (const [id, { removal }] of history.files) history.files.set(id, { file: gone, removal });
  history.sent.clear();
  history.violations.length = 0;
  return violations;
}

const gone = { requests: [], text: "", sha256: "" };
