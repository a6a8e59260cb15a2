import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { PostgresServer } from "../../test/support/postgres.ts";
import { launch, type Measured } from "../measure/measure.ts";
import type { Bench } from "../row.ts";
import { type Listening, listen } from "../upstream/node.ts";
import { createBatch, finalCounts, listening } from "./serve.ts";

export interface ClusterOptions {
  postgres: PostgresServer;
  input: string;
  lines: number;
  /** `nerif serve` and workers. */
  processes: number;
  /** Of each process. */
  inFlight: number;
  delayMs: number;
}

export interface ClusterRun {
  /** From the first to the last call that the model server has seen. */
  seconds: number;
  /** Calls of each process; that of `nerif serve` first. */
  calls: number[];
  /** For how long one of them had nothing more to send before the last call of all, in seconds; the longest. */
  idleAtEnd: number;
}

/** One batch, executed by several processes on a database and a directory of their own. */
export async function cluster(bench: Bench, options: ClusterOptions): Promise<ClusterRun> {
  const { postgres, input, lines, processes, inFlight, delayMs } = options;
  const directory = join(bench.scratch, "cluster");
  const shared = [
    "--database-url",
    await postgres.createDatabase(),
    "--shared-dir",
    join(directory, "shared"),
  ];
  const common = [...shared, "--json", "--log-level", "warn", "--concurrency", String(inFlight)];
  const doors = await Promise.all(Array.from({ length: processes }, openDoor));
  const command = (door: Door, ...words: string[]) => [
    ...[process.execPath, bench.nerif, ...words, ...common],
    ...["--data-dir", join(directory, "data"), "--upstream", `${door.listening.origin}/${delayMs}/v1`],
  ];
  const [front, ...others] = doors as [Door, ...Door[]];
  const server = launch(command(front, "serve", "--port", "0"));
  const url = await Promise.race([listening(server.stdout), tooEarly(server)]);
  const workers = others.map((door) => launch(command(door, "worker")));
  await Promise.all(workers.map((worker) => Promise.race([executing(worker), tooEarly(worker)])));

  // A server looks at its upstream when it starts.
  for (const door of doors) door.forget();
  const { completed } = await finalCounts(url, await createBatch(url, input));
  for (const { child } of [server, ...workers]) child.kill("SIGTERM");
  await Promise.all([server, ...workers].map(({ used }) => used));
  for (const door of doors) door.listening.close();
  await rm(directory, { recursive: true });
  if (completed !== lines) throw new Error(`${completed} of ${lines} requests were completed`);
  const last = Math.max(...doors.map((door) => door.last));
  return {
    seconds: (last - Math.min(...doors.map((door) => door.first))) / 1_000,
    calls: doors.map((door) => door.calls),
    idleAtEnd: (last - Math.min(...doors.map((door) => door.last))) / 1_000,
  };
}

/** Of the model server, for one of the processes: so it is seen who has sent what. */
interface Door {
  listening: Listening;
  calls: number;
  /** `performance.now()` */
  first: number;
  last: number;
  forget(): void;
}

async function openDoor(): Promise<Door> {
  const none = { calls: 0, first: Number.POSITIVE_INFINITY, last: 0 };
  const door = { ...none, forget: () => void Object.assign(door, none) };
  const opened = await listen(() => {
    door.calls += 1;
    door.last = performance.now();
    door.first = Math.min(door.first, door.last);
  });
  return Object.assign(door, { listening: opened });
}

async function tooEarly({ used }: Measured): Promise<never> {
  await used;
  throw new Error("It ended before it executed");
}

async function executing({ stdout }: Measured): Promise<void> {
  let text = "";
  stdout.on("data", (more: string) => {
    text += more;
  });
  while (!text.includes('"executing"')) await sleep(20);
}
