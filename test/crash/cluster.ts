import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom, seedOf } from "../../src/upstreams/simulator/random.ts";
import { type PostgresServer, startPostgres, withoutPostgres } from "../support/postgres.ts";
import { createCrew } from "./cluster/crew.ts";
import { databaseOf } from "./cluster/database.ts";
import { databaseTarget, filesTarget, memberTarget, type Target } from "./cluster/faults.ts";
import { directoryPlace, openS3Place, type Place } from "./cluster/place.ts";
import { createClients } from "./oracle/clients.ts";
import { startEventReceiver } from "./oracle/event-receiver.ts";
import { knownFile } from "./oracle/requests.ts";
import { createServeWorld } from "./oracle/serve-world.ts";
import type { Part, Round } from "./part.ts";
import { type RoundOptions, witnessedPart } from "./witnessed-part.ts";

const concurrency = 8;
const workers = 2;
const mostStrikes = 2;
/** More than for one process (I9): all of them share the cores of one machine. */
const patienceMs = 180_000;
/** Answers that a process may have which S3 has not confirmed (decision 029). */
const unflushed = 1_024;

const places = {
  directory: {
    title: "a shared directory",
    open: async () => directoryPlace,
    // The calls in flight, and the answers of one turn of the event loop, which are no more.
    repeats: 2 * concurrency,
    cut: "",
  },
  s3: {
    title: "S3",
    open: openS3Place,
    repeats: 2 * concurrency + unflushed,
    cut: "; S3 is refused, reset or left hanging for up to 15 seconds",
  },
};

/**
 * A round: clients use a server that shares its work with two workers, while each of them and what they stand on is
 * killed, stopped and cut off at random moments, also several at once. Then all faults are gone, whatever does not run
 * is started, and everything must come to its end and add up.
 */
export function clusterPart(on: keyof typeof places): Part {
  const { title, open, cut } = places[on];
  const part = {
    name: `cluster-${on}`,
    title: `nerif serve and ${workers} nerif worker on PostgreSQL and ${title}, under clients and a receiver of webhooks; up to ${mostStrikes} times a round each process is killed with kill -9 or stopped with SIGSTOP, for up to 15 seconds, longer than its leases; so is PostgreSQL${cut}; several of this at once. Then everything ends within three minutes`,
    rounds: 100,
    witness: { latency: "lognormal:100ms,0.6", errorRate: 0.02 },
  };
  return {
    ...part,
    unavailable: () => withoutPostgres,
    async open(options) {
      const opened = new AsyncDisposableStack();
      const postgres = await startPostgres();
      opened.defer(() => postgres.remove());
      const place = opened.use(await open());
      const play = (given: RoundOptions) => round(given, { postgres, place, repeats: places[on].repeats });
      const rounds = opened.use(await witnessedPart({ ...part, round: play }).open(options));
      return { round: rounds.round, [Symbol.asyncDispose]: () => opened.disposeAsync() };
    },
  };
}

async function round(
  { directory, witness, name, seed, random }: RoundOptions,
  { postgres, place, repeats: each }: { postgres: PostgresServer; place: Place; repeats: number },
): Promise<Round> {
  const work = join(directory, "work");
  const databaseUrl = await postgres.createDatabase();
  const { env, journals } = place.forRound(name, work);
  const crew = createCrew(
    {
      ...{ directory: work, upstream: witness.url, concurrency, args: ["--webhook-allow", "127.0.0.1"] },
      env: { NERIF_DATABASE_URL: databaseUrl, ...env },
    },
    workers,
  );
  const world = createServeWorld({
    ...{ directory, witness, concurrency, seed, server: crew },
    ...{ leftovers: journals, patienceMs },
  });
  // Also when the round breaks off.
  await using _ = { [Symbol.asyncDispose]: () => crew.kill() };
  await using receiver = await startEventReceiver(createRandom(seedOf(seed, `${name} receiver`)));
  const counts: Record<string, number> = {};
  let mayRepeat = 0;

  async function trouble({ strike }: Target, nth: number): Promise<void> {
    const luck = createRandom(seedOf(seed, `${name} target ${nth}`));
    for (let left = 1 + Math.floor(luck() * mostStrikes); left > 0; left -= 1) {
      // Moments that follow the work, and the rest of a turn.
      await witness.more(luck() * 600, 5_000);
      await sleep(luck() * 200);
      const { what, repeating } = await strike(luck);
      counts[what] = (counts[what] ?? 0) + 1;
      mayRepeat += repeating * each;
    }
  }

  if (!(await crew.start())) throw new Error(`It does not start: ${crew.process().output().stderr}`);
  await receiver.subscribe(world);
  crew.isImpatient = true;
  const file = await world.driver.upload(knownFile(name, 700 + Math.floor(random() * 1_000)));
  if (file !== null) await world.driver.create(file.id, "24h");
  const clients = createClients(world, { name, random });
  const targets = [
    ...crew.members.map(memberTarget),
    databaseTarget(databaseOf(postgres), crew.members.length),
    ...(place.gate === null ? [] : [filesTarget(place.gate)]),
  ];
  // Where few things fail, few calls may be repeated.
  const failing = targets.filter(() => random() < 0.6);
  await Promise.all((failing.length === 0 ? targets : failing).map(trouble));
  await clients.stop();
  crew.isImpatient = false;
  receiver.recover();

  const { violations, repeats, lines, ended, settledMs } = await world.finish(mayRepeat);
  const died = crew.died();
  if (died !== null) violations.push(`I9 a process ended by itself: ${died}`);
  if (violations.length === 0) {
    world.remove();
    const url = new URL("/postgres", databaseUrl);
    await postgres.query(url.href, `drop database ${new URL(databaseUrl).pathname.slice(1)} with (force)`);
  }
  for (const [status, count] of Object.entries(ended)) counts[`${status} batches`] = count;
  return {
    counts: { ...counts, ...receiver.counts(), lines, repeated: repeats, "may be repeated": mayRepeat },
    samples: {
      "calls repeated in a round": [repeats],
      "seconds until all had ended": [settledMs / 1_000],
    },
    violations,
  };
}
