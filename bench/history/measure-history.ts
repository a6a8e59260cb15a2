import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type Kysely, sql } from "kysely";
import type { Schema } from "../../src/control/schema.ts";
import { killGroup, startCli } from "../../test/support/cli-process.ts";
import { requestLines } from "../../test/support/engine.ts";
import { freePort } from "../../test/support/free-port.ts";
import { fillHistory } from "../../test/support/history.ts";
import { hotPlans } from "../../test/support/plans.ts";
import { create, upload } from "./client.ts";
import { cpuMs } from "./cpu.ts";
import type { Place } from "./places.ts";
import { measureRequests } from "./requests.ts";

export interface HistorySize {
  /** Of all batches that have ended together. */
  lines: number;
  linesPerBatch: number;
  /** Batches that wait for a model server that is down. */
  open: number;
  rounds: number;
  /** Shows how the database finds what each statement asks for. */
  plans: boolean;
}

const linesPerOpenBatch = 2_000;
const idleSeconds = 20;

/** One server on one database: fills it, lets batches wait, and asks for everything. */
export async function measureHistory(place: Place, size: HistorySize): Promise<void> {
  const batches = Math.ceil(size.lines / size.linesPerBatch);
  console.log(`\n${place.name}: ${batches} batches of ${size.lines} lines have ended, ${size.open} wait`);
  const db = place.connect();
  // Older than all that the server will make.
  const until = Math.floor(Date.now() / 1_000) - 3_600;
  await fillHistory(db, { batches, linesPerBatch: size.linesPerBatch, until });
  await sql.raw(place.analyze).execute(db);
  // Nobody listens there.
  const upstream = ["--upstream", `http://127.0.0.1:${await freePort()}/v1`];
  const options = ["--port", "0", "--json", "--log-level", "error", ...upstream, ...place.args];
  const server = startCli(["serve", ...options], { cwd: tmpdir(), group: true });
  const pid = server.child.pid ?? 0;
  try {
    await server.printed(/"event":"listening"/);
    const { url } = JSON.parse(server.output().stdout) as { url: string };
    const input = await upload(url, requestLines(linesPerOpenBatch));
    for (let nth = 0; nth < size.open; nth += 1) await create(url, input);
    await untilWaiting(db, size.open);
    await sql.raw(place.analyze).execute(db);
    console.log(`CPU of the server while all wait: ${(await idleCpu(pid)).toFixed(0)} ms a second\n`);
    console.log("| request | median | p99 | CPU of the server |\n|---|---|---|---|");
    await measureRequests(url, { input, rounds: size.rounds, batches, pid });
    await killGroup(server);
    if (size.plans) await showPlans(place);
  } finally {
    await killGroup(server);
    await db.destroy();
    await place.remove();
  }
}

async function untilWaiting(db: Kysely<Schema>, count: number): Promise<void> {
  for (;;) {
    const { waiting } = await db
      .selectFrom("batches")
      .select(({ fn }) => fn.countAll().as("waiting"))
      .where("status", "=", "in_progress")
      .executeTakeFirstOrThrow();
    if (Number(waiting) >= count) return;
    await sleep(500);
  }
}

async function idleCpu(pid: number): Promise<number> {
  // What was begun comes to an end.
  await sleep(5_000);
  const before = cpuMs(pid);
  await sleep(idleSeconds * 1_000);
  return (cpuMs(pid) - before) / idleSeconds;
}

async function showPlans(place: Place): Promise<void> {
  for (const { operation, sql, steps } of await hotPlans(place.connect, place.explain)) {
    console.log(`\n${operation}: ${sql}`);
    for (const step of steps) console.log(`    ${step}`);
  }
}
