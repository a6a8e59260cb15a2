import { realImmediate } from "../substitutes/real.ts";
import type { Weather } from "../weather.ts";
import { createDisk, type Disk } from "./disk.ts";
import { createTaskQueue } from "./queue.ts";
import { createRandom, type Random } from "./random.ts";
import { createTrace, type Trace } from "./trace.ts";

/** Wall clock at the beginning of every world, in milliseconds. */
export const beginning = 1_795_300_000_000;

/** One run of the program, from its start to its death; what it still tries to do after that has no effect. */
export interface Life {
  readonly nr: number;
  readonly startedAt: number;
  dead: boolean;
  diedAt: number | null;
  /** When another life was given the executor lock although this one went on: what it does from then on may be void. */
  supersededAt: number | null;
  /** Since when others may hold what it takes to be its own: it was superseded, or stood still beside another life. */
  doubtedAt: number | null;
  /** What that sync was to write is on no disk, and no later sync writes it. */
  syncFailed: boolean;
  /** Nothing of it runs before this moment. */
  pausedUntil: number;
  /** When it began to stand still, each time longer than its leases last: it gives them up, and counts attempts anew. */
  readonly pauses: number[];
  /** Calls to the outside that it still makes before it dies in the middle of one. */
  callsLeft: number;
  /** Calls that the system is carrying out; at the death each is done or is not. */
  readonly underWay: Set<() => void>;
  /** Lets go of what would keep the memory of the dead. */
  readonly releases: Set<() => void>;
}

export type DeathKind = "kill" | "power";

/** Everything outside of the program: time, chance, the disk, and whose turn it is. */
export interface World {
  readonly seed: number;
  readonly random: Random;
  readonly weather: Weather;
  readonly disk: Disk;
  readonly trace: Trace;
  /** Milliseconds since the beginning. */
  readonly now: number;
  /** How far the wall clock is off, in milliseconds. */
  wallOffset: number;
  /** Whose code is running; null: a client's or the world's own. */
  life: Life | null;
  /** In the order in which they came. */
  readonly deaths: { life: Life; kind: DeathKind }[];
  /** What went against the promises. */
  readonly violations: string[];
  violation(text: string): void;
  /** Runs something later, in the name of a life; it does not happen when that is dead by then. */
  later(life: Life | null, ms: number, run: () => void): () => void;
  newLife(callsLeft: number): Life;
  /** Ends a life at this instant. A power cut ends all that live: they share one machine. */
  kill(life: Life, kind: DeathKind): void;
  onDeath: (life: Life, kind: DeathKind) => void;
  /** Lets things happen, one after another, until `isOver` says so. */
  run(isOver: () => boolean): Promise<void>;
}

let current: World | null = null;

/** The world that the substitutes for Node's modules belong to. */
export function theWorld(): World {
  if (current === null) throw new Error("Cannot do that: there is no world");
  return current;
}

export function createWorld(seed: number, weather: Weather, options: { keepTrace: boolean }): World {
  const random = createRandom(seed);
  const queue = createTaskQueue();
  let now = 0;
  let tasks = 0;
  let lives = 0;
  const living = new Set<Life>();

  const world: World = {
    seed,
    random,
    weather,
    disk: createDisk(random, () => beginning + now + world.wallOffset),
    trace: createTrace(() => ({ now, life: world.life?.nr ?? null }), options),
    get now() {
      return now;
    },
    wallOffset: 0,
    life: null,
    deaths: [],
    violations: [],
    violation(text) {
      world.trace.note(`VIOLATION ${text}`);
      world.violations.push(`${text} (at ${Math.round(now)} ms)`);
    },
    later(life, ms, run) {
      const task = { at: now + Math.max(0, ms), nr: tasks++, run: act, cancelled: false };
      queue.push(task);
      return () => {
        task.cancelled = true;
      };

      function act(): void {
        if (life?.dead) return;
        if (life !== null && life.pausedUntil > now) {
          world.later(life, life.pausedUntil - now, () => !task.cancelled && run());
          return;
        }
        world.life = life;
        run();
      }
    },
    newLife(callsLeft) {
      const never = { diedAt: null, supersededAt: null, doubtedAt: null };
      const life = {
        nr: ++lives,
        startedAt: now,
        dead: false,
        syncFailed: false,
        ...never,
        pausedUntil: 0,
        pauses: [] as number[],
        callsLeft,
        underWay: new Set<() => void>(),
        releases: new Set<() => void>(),
      };
      living.add(life);
      return life;
    },
    kill(life, kind) {
      if (life.dead) return;
      const ended = kind === "power" ? [...living] : [life];
      for (const one of ended) endLife(one, kind);
      if (kind === "power") world.disk.losePower();
      for (const one of ended) world.deaths.push({ life: one, kind });
      for (const one of ended) world.onDeath(one, kind);
    },
    onDeath: () => {},
    run,
  };
  current = world;
  return world;

  function endLife(life: Life, kind: DeathKind): void {
    living.delete(life);
    life.dead = true;
    life.diedAt = now;
    world.trace.note(`${kind} life ${life.nr}`);
    // What the system had begun is done or is not, and nobody can tell.
    for (const finish of life.underWay) if (random.chance(0.5)) finish();
    life.underWay.clear();
    for (const release of life.releases) release();
    life.releases.clear();
  }

  /** A turn of the real event loop lies between two tasks, in which all that follows from the first comes to rest. */
  function run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      function turn(): void {
        try {
          if (isOver()) {
            resolve();
            return;
          }
          let task = queue.pop();
          while (task?.cancelled) task = queue.pop();
          if (task === undefined) throw new Error("Nothing will ever happen again");
          now = Math.max(now, task.at);
          task.run();
        } catch (reason) {
          reject(reason);
          return;
        }
        realImmediate(turn);
      }
      turn();
    });
  }
}
