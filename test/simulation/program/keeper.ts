import type { Scene } from "../run-seed.ts";
import type { DeathKind, Life } from "../world/world.ts";
import { createServer, type Server } from "./server.ts";

/** Deaths in the middle of a call, in one world: the next ones would tell no more. */
const mostDeaths = 8;

/** Starts the program, ends it as the weather says, and starts it again. */
export interface Keeper {
  readonly lives: number;
  /** Ends the program and lets another life settle, with no trouble at all. */
  restart(kind?: DeathKind): Promise<void>;
}

export function createKeeper({ world, connection, database, upstream, receivers }: Scene): Keeper {
  const { weather, random } = world;
  const lock: { holder: Life | null } = { holder: null };
  let lives = 0;
  let started = 0;
  let failedStarts = 0;
  const overtaken = new Set<Life>();

  world.onDeath = (life) => {
    connection.lost(life);
    if (connection.server?.life === life) connection.server = null;
    if (life.supersededAt === null) world.later(null, absence(), start);
  };
  start();
  for (const at of weather.kills) world.later(null, at, () => end((life) => world.kill(life, deathKind())));
  for (const at of weather.pauses) world.later(null, at, () => end(pause));
  for (const at of weather.takeovers) world.later(null, at, () => end(takeOver));
  for (const at of weather.stops) world.later(null, at, stop);
  for (const { at, ms } of weather.jumps) world.later(null, at, () => jump(ms));

  return {
    get lives() {
      return lives;
    },
    async restart(kind = random.pick(["kill", "power"])) {
      end((life) => world.kill(life, kind));
      const settled = world.now + 3_000;
      await world.run(() => started === lives && world.now > settled && connection.server !== null);
    },
  };

  function start(): void {
    lives += 1;
    const nr = lives;
    const life = world.newLife(drawCalls());
    world.later(life, 0, () => {
      const server = createServer({ life, database, upstream, sender: receivers.sender, lock });
      begin(server).then((executes) => {
        if (!executes || life.dead || life.supersededAt !== null) return;
        started = nr;
        connection.server = server;
      });
    });
  }

  /** A program that cannot start says why and ends; whoever runs it starts it again. */
  async function begin({ engine, life }: Server): Promise<boolean> {
    try {
      return await engine.start();
    } catch (reason) {
      world.trace.note(`cannot start: ${reason}`);
      failedStarts += 1;
      world.kill(life, "kill");
      return false;
    }
  }

  function stop(): void {
    const { server } = connection;
    if (server === null) return;
    const { life, engine } = server;
    world.trace.note(`stop life ${life.nr}`);
    world.later(life, 0, () => {
      engine
        .stop(random.pick([0, 1_000, 30_000]))
        .then(() => world.later(life, 0, () => world.kill(life, "kill")));
    });
  }

  function pause(life: Life): void {
    world.trace.note(`life ${life.nr} stands still`);
    life.pausedUntil = world.now + 40_000;
    life.pauses.push(world.now);
    if ([...overtaken].some(({ dead }) => !dead)) life.doubtedAt ??= world.now;
  }

  function jump(ms: number): void {
    world.trace.note(`the clock jumps by ${ms}`);
    world.wallOffset += ms;
  }

  /** Stands still beyond its lease while another life takes over; then both run for a while. */
  function takeOver(life: Life): void {
    world.trace.note(`life ${life.nr} is superseded`);
    life.supersededAt = world.now;
    life.doubtedAt ??= world.now;
    overtaken.add(life);
    life.pausedUntil = world.now + random.pick([50, 1_000, 20_000, 40_000]);
    lock.holder = null;
    connection.server = null;
    start();
    world.later(null, life.pausedUntil + random.next() * 10_000, () => world.kill(life, "kill"));
  }

  function end(how: (life: Life) => void): void {
    const life = connection.server?.life;
    if (life !== undefined && !life.dead) how(life);
  }

  function drawCalls(): number {
    const isOver = world.now >= weather.quietAt || lives > mostDeaths;
    if (weather.callsPerLife === 0 || isOver) return Number.POSITIVE_INFINITY;
    return Math.ceil(-Math.log(1 - random.next()) * weather.callsPerLife);
  }

  function absence(): number {
    if (world.now >= weather.quietAt) return 10 * random.next();
    return (0.2 + 0.8 * random.next()) * Math.max(weather.longestAbsence, 500 * failedStarts);
  }

  function deathKind(): DeathKind {
    return random.chance(weather.powerShare) ? "power" : "kill";
  }
}
