import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { BatchStatus } from "../../src/batch/batch.ts";
import { isFinal } from "../../src/batch/lifecycle.ts";
import { createRandom, seedOf } from "../../src/upstreams/simulator/random.ts";
import { firstCalls, type Start } from "./oracle/check-calls.ts";
import { createClients, loopOf } from "./oracle/clients.ts";
import { startEventReceiver } from "./oracle/event-receiver.ts";
import { createKeyKeeper } from "./oracle/keys.ts";
import { createServeWorld, type ServeWorld } from "./oracle/serve-world.ts";
import { createUploader } from "./oracle/uploads.ts";
import type { Round } from "./part.ts";
import { type RoundOptions, witnessedPart } from "./witnessed-part.ts";

const concurrency = 16;
const killsPerRound = 5;
const args = ["--webhook-allow", "127.0.0.1"];

/**
 * A round: two clients upload, create, cancel, let expire and remove, a third uploads in parts, an operator makes and
 * revokes keys, and a receiver is told of each end; the server's process group is killed five times at random moments
 * and started again at once; then everything must come to its end and add up.
 */
export const serveKills = witnessedPart({
  name: "kills-serve",
  title:
    "nerif serve under clients that upload whole and in parts, an operator of keys and a receiver of webhooks; kill -9 of its process group at random moments, 5 a round",
  rounds: 100,
  witness: { latency: "lognormal:30ms,0.6", errorRate: 0.02 },
  round,
});

async function round({ directory, witness, name, seed, random }: RoundOptions): Promise<Round> {
  const world = createServeWorld({ directory, witness, concurrency, seed, args });
  const { server } = world;
  const counts: Record<string, number> = {};
  const add = (name: string, by = 1) => {
    counts[name] = (counts[name] ?? 0) + by;
  };
  let kills = 0;
  const starts: Start[] = [];
  const begin = () => {
    starts.push({ at: Date.now(), until: Number.POSITIVE_INFINITY });
    return server.start();
  };
  await using receiver = await startEventReceiver(createRandom(seedOf(seed, `${name} receiver`)));
  const keys = createKeyKeeper(world, { random: createRandom(seedOf(seed, `${name} keys`)) });
  const uploads = createUploader(world, { name, random: createRandom(seedOf(seed, `${name} uploads`)) });
  await keys.begin();
  await begin();
  await receiver.subscribe(world);
  const clients = [
    createClients(world, { name, random }),
    loopOf(uploads.act, { pause: 30, random }),
    loopOf(keys.act, { pause: 1_500, random }),
  ];
  for (let kill = 0; kill < killsPerRound; kill += 1) {
    await witness.more(random() * 250, 3_000);
    await sleep(random() * 30);
    for (const state of await killNow()) add(`during ${state}`);
    const started = begin();
    // Now and then again before it is up.
    if (random() < 0.3) {
      await sleep(random() * 600);
      await killNow();
      add("during start");
      await started;
      await begin();
    } else await started;
  }
  await Promise.all(clients.map((client) => client.stop()));
  await killNow();
  receiver.recover();
  const { violations, repeats, lines, ended } = await world.finish(kills * 2 * concurrency);
  for (const by of [uploads, keys, receiver]) {
    for (const [what, count] of Object.entries(by.counts())) add(what, count);
  }
  for (const [status, batches] of Object.entries(ended)) add(`batches ${status}`, batches);
  if (violations.length === 0) world.remove();
  return {
    counts: { kills, lines, repeated: repeats, "may be repeated": kills * 2 * concurrency, ...counts },
    samples: { "restart to first call, ms": firstCalls(witness.calls(), starts) },
    violations,
  };

  async function killNow(): Promise<string[]> {
    const during = [...world.history.pending];
    kills += 1;
    await server.kill();
    const states = statesOf(world);
    const last = starts.at(-1);
    if (last !== undefined) last.until = Date.now();
    return [...during, ...states];
  }
}

/** What the server was doing when it died. A copy is looked at: opening its database would mend it. */
function statesOf({ directory }: ServeWorld): string[] {
  const copy = mkdtempSync(join(tmpdir(), "nerif-killed-"));
  try {
    for (const name of ["nerif.db", "nerif.db-wal"]) {
      const path = join(directory, "data", name);
      if (existsSync(path)) copyFileSync(path, join(copy, name));
    }
    const database = new DatabaseSync(join(copy, "nerif.db"));
    const rows = database.prepare("select distinct status, ending from batches").all();
    const open = rows.filter(({ status }) => !isFinal(status as BatchStatus));
    database.close();
    return open.map(({ status, ending }) => String(ending === null ? status : `writing ${ending} results`));
  } catch {
    // Killed before its database had tables.
    return ["opening"];
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
