import { setTimeout as sleep } from "node:timers/promises";
import { isFinal } from "../../../src/batch/lifecycle.ts";
import type { Clients } from "../oracle/clients.ts";
import { knownFile } from "../oracle/requests.ts";
import type { ServeWorld } from "../oracle/serve-world.ts";

export interface SoakClientsOptions {
  /** Occurs in every request. */
  name: string;
  random: () => number;
  linesPerSecond: number;
  /** Batches whose files are gone. */
  done: ReadonlyMap<string, unknown>;
  /** Counts calls that read. */
  onRead: () => void;
}

/** Clients that hand in so many lines a second, look, cancel, remove and read, some of them without hearing the end. */
export function createSoakClients(world: ServeWorld, options: SoakClientsOptions): Clients {
  const { name, random, linesPerSecond, done, onRead } = options;
  const { driver, history, server } = world;
  let stopped = false;
  const loops = [feed(), repeat(look), repeat(look), repeat(read), repeat(read), repeat(read)];

  async function feed(): Promise<void> {
    const from = performance.now();
    let sent = 0;
    for (let file = 0; !stopped; ) {
      if (sent > ((performance.now() - from) / 1_000) * linesPerSecond) {
        await sleep(50);
        continue;
      }
      const lines = random() < 0.05 ? 600 + Math.floor(random() * 900) : 5 + Math.floor(random() * 200);
      sent += lines;
      file += 1;
      const stored = await driver.upload(knownFile(`${name}-${file}`, lines));
      if (stored !== null) await driver.create(stored.id, random() < 0.1 ? "2s" : "24h");
    }
  }

  async function repeat(act: () => Promise<unknown>): Promise<void> {
    while (!stopped) {
      await act();
      await sleep(50 + random() * 100);
    }
  }

  async function look(): Promise<void> {
    const open = ids((status) => !isFinal(status));
    const id = pick(open);
    if (id === undefined) return;
    const chance = random();
    if (chance < 0.01) await driver.cancel(id);
    else if (chance < 0.03) await removeOne();
    else await driver.look(id);
  }

  async function removeOne(): Promise<void> {
    const known = history.batches.get(pick(ids(isFinal)) ?? "");
    if (known !== undefined) await driver.remove(known.file);
  }

  async function read(): Promise<void> {
    onRead();
    const ended = history.batches.get(pick(ids(isFinal)) ?? "")?.seen;
    const open = pick(ids((status) => !isFinal(status)));
    const output = ended?.output_file_id ?? ended?.error_file_id ?? null;
    const paths = [
      "/v1/batches?limit=20",
      "/v1/files?limit=50",
      ...(ended === undefined ? [] : [`/v1/batches/${ended.id}/results`]),
      ...(output === null ? [] : [`/v1/files/${output}/content`]),
      ...(open === undefined
        ? []
        : [`/v1/batches/${open}/results?follow=true`, `/v1/batches/${open}/progress`]),
    ];
    await get(pick(paths) ?? "", { hangUpMs: random() < 0.2 ? Math.floor(random() * 200) : null });
  }

  /** @param hangUpMs null: hears the end, of a stream that follows for three seconds */
  async function get(path: string, { hangUpMs }: { hangUpMs: number | null }): Promise<void> {
    const patienceMs = path.includes("follow") ? 3_000 : 20_000;
    const signal = AbortSignal.timeout(hangUpMs ?? patienceMs);
    try {
      const response = await server.ask(path, { signal });
      if (!response.ok) history.violations.push(`I9 ${path}: ${response.status} ${await response.text()}`);
      else await response.arrayBuffer();
    } catch (reason) {
      const isLate = reason instanceof Error && reason.name === "TimeoutError";
      if (isLate && hangUpMs === null && patienceMs > 3_000) {
        history.violations.push(`I9 ${path}: no answer in ${patienceMs} ms`);
      }
    }
  }

  function ids(fits: (status: Parameters<typeof isFinal>[0]) => boolean): string[] {
    return [...history.batches].flatMap(([id, { seen }]) => (!done.has(id) && fits(seen.status) ? [id] : []));
  }

  function pick(of: readonly string[]): string | undefined {
    return of[Math.floor(random() * of.length)];
  }

  return {
    async stop() {
      stopped = true;
      await Promise.all(loops);
    },
  };
}
