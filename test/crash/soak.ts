import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom, seedOf } from "../../src/upstreams/simulator/random.ts";
import type { Part, Rounds } from "./part.ts";
import { grown, growthOf } from "./soak/flat.ts";
import { createLoad, type Load, type Rested } from "./soak/load.ts";
import { type Held, type Readings, readingsOf, takeReadings } from "./soak/readings.ts";

export interface SoakSettings {
  /** Length of a life, and of a round. */
  lifeMs: number;
  readEveryMs: number;
  /** The end of each life, of which the readings are compared with those of the other lives. */
  tailMs: number;
  /** Age from which the readings of the server that is not killed count. */
  warmUpMs: number;
  /** Growth is judged after each so many rounds, over all of them. */
  judgeEvery: number;
  /** That memory may grow over the whole time. */
  mostMiB: number;
  /** That open descriptors may grow over the whole time. */
  mostOpen: number;
  /** Environment of the servers. */
  env?: Record<string, string>;
}

const concurrency = 16;
// 16 calls in flight of 48 ms in the mean: 333 a second are the most.
const latency = "lognormal:40ms,0.6";
const half = 167;
const quarter = half / 2;

/**
 * A round: a minute of two servers under clients that upload, create, cancel, remove, list and read, one of them
 * killed at its end and started again. Then everything must come to its end and add up, and all files are deleted;
 * the data directories stay.
 */
export function soakPart(settings: SoakSettings): Part {
  const { lifeMs, readEveryMs, tailMs, warmUpMs, mostMiB, mostOpen } = settings;
  return {
    name: "soak",
    title: [
      `nerif serve --concurrency ${concurrency} at half of what its upstream admits (${half} lines a second), killed with kill -9`,
      `each ${lifeMs / 1_000} seconds under its clients and started again on the same data; beside it one at a quarter that is never`,
      `killed. Memory (RssAnon) is read every ${readEveryMs / 1_000} seconds: of the first in the last ${tailMs / 1_000} seconds of each life,`,
      `of the second after ${warmUpMs / 60_000} minutes; open descriptors when all batches have ended and no client is there. Flat is`,
      `what has, by least squares, not grown beyond its noise by more than ${mostMiB} MiB or ${mostOpen} descriptors over the whole time`,
    ].join(" "),
    rounds: 60,
    unavailable: () => (process.platform === "linux" ? null : "what a process holds is read from /proc"),
    open: (options) => openSoak(settings, options),
  };
}

export const soak = soakPart({
  ...{ lifeMs: 60_000, readEveryMs: 5_000, tailMs: 20_000, warmUpMs: 300_000 },
  ...{ judgeEvery: 20, mostMiB: 24, mostOpen: 10 },
});

async function openSoak(
  settings: SoakSettings,
  { directory, seed }: { directory: string; seed: number },
): Promise<Rounds> {
  const { lifeMs, readEveryMs, tailMs, warmUpMs, judgeEvery, env = {} } = settings;
  const random = createRandom(seedOf(seed, "soak"));
  const opened = new AsyncDisposableStack();
  const [killed, killedReadings] = await begin("killed", half);
  const [steady, steadyReadings] = await begin("steady", quarter);
  const steadyFrom = steady.server.startedAt();
  /** The ends of the lives of the server that is killed. */
  const tails: Held[][] = [];
  // Under load each open batch holds some descriptors, and how many are open depends on the machine.
  const resting: Record<"killed" | "steady", Held[]> = { killed: [], steady: [] };

  async function begin(name: string, linesPerSecond: number): Promise<[Load, Readings]> {
    const given = { directory: join(directory, name), seed, random, concurrency, latency, linesPerSecond };
    const load = opened.use(await createLoad(given));
    await load.server.start(env);
    return [load, opened.use(takeReadings(load.server, readEveryMs))];
  }

  async function live(name: string, until: number): Promise<Rested> {
    const { server } = killed;
    const clients = killed.begin(name);
    await sleep(until - Date.now());
    const end = Date.now();
    await server.kill();
    tails.push(killedReadings.taken.splice(0).filter(({ at }) => at > end - tailMs && at < end));
    await server.start(env);
    await clients.stop();
    const rested = await killed.rest(2 * concurrency);
    resting.killed.push(...killedReadings.now());
    return rested;
  }

  async function goOn(name: string, until: number): Promise<Rested> {
    const { server } = steady;
    const clients = steady.begin(name);
    await sleep(until - Date.now());
    await clients.stop();
    const rested = await steady.rest(0);
    resting.steady.push(...steadyReadings.now());
    const { exitCode, signalCode } = server.process().child;
    const ended = exitCode ?? signalCode;
    if (ended !== null) rested.violations.push(`I10 the server without kills has ended with ${ended}`);
    return rested;
  }

  return {
    async round(index) {
      // Where the rest took long, at least half of a life is under clients.
      const until = Math.max(killed.server.startedAt() + lifeMs, Date.now() + lifeMs / 2);
      const rested = await Promise.all([
        live(`killed-${seed}-${index}`, until),
        goOn(`steady-${seed}-${index}`, until),
      ]);
      const ends = tails.flat();
      const isWarm = ({ at }: Held) => at > steadyFrom + warmUpMs;
      const old = steadyReadings.taken.filter(isWarm);
      const restingOld = resting.steady.filter(isWarm);
      const last = steadyReadings.taken.filter(({ at }) => at > until - tailMs && at < until);
      const isJudged = (index + 1) % judgeEvery === 0;
      return {
        counts: { kills: 1, ...sumOf(rested), "may be repeated": 2 * concurrency },
        samples: {
          ...memory("at the end of a life", tails.at(-1) ?? []),
          ...memory("without kills", last),
          ...descriptors("after a restart", resting.killed.slice(-1)),
          ...descriptors("without kills", resting.steady.slice(-1)),
        },
        figures: {
          ...slopes("RssAnon at the ends of lives, MiB", ends, "anonymous"),
          ...slopes("RssAnon without kills, MiB", old, "anonymous"),
          ...slopes("files open after a restart", resting.killed, "files"),
          ...slopes("files open without kills", restingOld, "files"),
          ...slopes("sockets open without kills", restingOld, "sockets"),
        },
        violations: [...rested.flatMap(({ violations }) => violations), ...(isJudged ? judge() : [])],
      };

      function judge(): string[] {
        const { mostMiB, mostOpen } = settings;
        return [
          grown("memory at the end of a life, MiB,", readingsOf(ends, "anonymous"), mostMiB),
          grown("memory without kills, MiB,", readingsOf(old, "anonymous"), mostMiB),
          grown("open files after a restart", readingsOf(resting.killed, "files"), mostOpen),
          grown("open files without kills", readingsOf(restingOld, "files"), mostOpen),
          grown("open sockets without kills", readingsOf(restingOld, "sockets"), mostOpen),
        ].filter((said) => said !== null);
      }
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function sumOf(rested: readonly Rested[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { counts } of rested) {
    for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

function memory(when: string, held: readonly Held[]): Record<string, number[]> {
  const middle = held
    .toSorted((a, b) => a.anonymous - b.anonymous)
    .slice(held.length >> 1, (held.length >> 1) + 1);
  return {
    [`RssAnon ${when}, MiB`]: middle.map(({ anonymous }) => anonymous),
    [`VmRSS ${when}, MiB`]: middle.map(({ resident }) => resident),
  };
}

function descriptors(when: string, held: readonly Held[]): Record<string, number[]> {
  return {
    [`files open ${when}`]: held.map(({ files }) => files),
    [`sockets open ${when}`]: held.map(({ sockets }) => sockets),
  };
}

function slopes(
  name: string,
  held: readonly Held[],
  what: Exclude<keyof Held, "at">,
): Record<string, string> {
  const { perHour, noise } = growthOf(readingsOf(held, what));
  return { [`${name} an hour`]: `${perHour.toFixed(1)} ± ${noise.toFixed(1)}` };
}
