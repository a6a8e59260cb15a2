import type { Batch, RequestCounts } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { limits } from "../batch/limits.ts";
import type { FileReader } from "../files/file-store.ts";
import type { EngineDeps } from "./deps.ts";
import { createAwayNotice } from "./dispatch/away-notice.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import { createGather } from "./dispatch/gather.ts";
import type { Line } from "./dispatch/line.ts";
import { createLoader, type Loader } from "./dispatch/loader.ts";
import { priorityOf } from "./dispatch/priority.ts";
import { createRateMeter } from "./dispatch/rate-meter.ts";
import { createRouteQueue, type RouteQueue } from "./dispatch/route-queue.ts";
import type { ShardRun } from "./dispatch/shard-run.ts";
import type { Progress } from "./engine.ts";
import type { Interrupt } from "./interrupt.ts";
import { leaseLost } from "./lease-lost.ts";
import type { Others } from "./others.ts";
import type { Followers } from "./plan/followers.ts";
import { routeProgress, stallWords, withoutUpstream } from "./route-progress.ts";

const leaseMs = 12_000;
const heartbeatMs = 4_000;
/** How long a shard that is done may wait for others to be noted with it, while more of them are under way. */
const finishTogetherMs = 500;
/**
 * Lines that are kept ready at least, so that a probe in an outage has some to choose from. Not many more: what waits
 * through two collections is taken for old, and stays, with all that it holds, until much of that has come together.
 */
const leastReady = 256;
/** Routes without shards of their own come and go: so many may be known before those that have no lines now are left. */
const manyRoutes = 2 * limits.routes;

export interface Execution {
  /** Resolves when every shard is done, or, after an interrupt, when nothing is in flight and all is handed back. */
  finished: Promise<"done" | "interrupted">;
  progress(): Progress;
}

export interface ExecutionOptions {
  batch: Batch;
  input: FileReader;
  plan: FileReader;
  followers: Followers | null;
  /** Names this execution to the control store; another name each time. */
  newHolder: () => string;
  dispatchersFor: (model: string | null) => readonly Dispatcher[];
  others: Others;
  interrupt: Interrupt;
}

/** Runs the lines of a batch that have no durable result yet. */
export function execute(options: ExecutionOptions, deps: EngineDeps): Execution {
  const { batch, interrupt, dispatchersFor } = options;
  const { control, clock } = deps;
  const { promise: finished, resolve, reject } = Promise.withResolvers<"done" | "interrupted">();
  const loaders: Loader[] = [];
  let holder = options.newHolder();
  const queues = new Map<string, RouteQueue>();
  /** All that any queue sends through: pumped once each, however many routes there are. */
  const dispatchers = new Set<Dispatcher>();
  let latest: RouteQueue | null = null;
  /** Routes with shards of their own. */
  const ownRoutes = new Set<string>();
  let clearAt = manyRoutes;
  const shards = new Map<ShardRun, Loader>();
  const counts: RequestCounts = { ...batch.request_counts };
  const rate = createRateMeter();
  const share = {
    project: batch.project,
    weight: priorityOf(batch.metadata),
    deadline: batch.expires_at ?? Number.POSITIVE_INFINITY,
  };
  const finishing = createGather({ clock, restMs: finishTogetherMs });
  const onAway = createAwayNotice(clock, (error, message) => {
    deps.log.error({ batch: batch.id, err: error }, message);
    deps.onProblem?.(batch.id, error);
  });
  /** Lines whose model no configured upstream serves. */
  const parked: Line[] = [];
  /** A signal of its own: whether one that is made of others has aborted takes long to find out, for each line. */
  const over = new AbortController();
  const { signal } = over;
  /** Aborts when storage that is away is waited for no more, since that would save nothing. */
  const givenUp = new AbortController();
  let closing = 0;
  let halted: "no" | "halting" | "yes" = "no";
  let ended = false;
  let problem: unknown = null;
  let cancelHeartbeat = () => {};
  let cancelLook = () => {};
  let confirming = false;
  let isLeft = false;
  let forgetStall = () => {};

  async function begin(): Promise<void> {
    for (const route of await control.openRoutes(batch.id))
      loaders.push(newLoader(route.endpoint, route.model));
    currentRate(counts);
    heartbeat();
    interrupt.begun.addEventListener("abort", halt, { once: true });
    interrupt.over.addEventListener("abort", breakOff, { once: true });
    interrupt.left.addEventListener("abort", leave, { once: true });
    if (interrupt.over.aborted) breakOff();
    if (interrupt.left.aborted) leave();
    if (interrupt.begun.aborted) {
      halt();
      return;
    }
    fill();
    endIfDone();
  }

  function newLoader(endpoint: string | null, model: string | null): Loader {
    const key = JSON.stringify([endpoint, model]);
    ownRoutes.add(key);
    let queue: RouteQueue | undefined;
    /** As many lines as may be in flight, as far as is known now. Asked for each line. */
    function target(): number {
      queue ??= queues.get(key);
      let sum = 0;
      for (const { lane } of queue?.ways ?? []) sum += lane.limit;
      return Math.max(sum, leastReady);
    }
    const loader = createLoader({
      ...{ control, clock, journal: deps.journal, leaseMs, heartbeatMs, endpoint, model },
      ...{ alone: !deps.lock.shared, givenUp: givenUp.signal, onAway },
      ...{
        batchId: batch.id,
        version: batch.version,
        holder: () => holder,
        input: options.input,
        plan: options.plan,
        followers: options.followers,
      },
      target,
      onShard(shard) {
        shards.set(shard, loader);
        onSettled(shard);
      },
      onLines: enqueue,
      onSettled,
      mayFinish,
      onDamage(shard, bytes) {
        const message = `The journal is damaged: ${bytes} bytes were refused, their lines run again`;
        deps.log.error({ batch: batch.id, shard: shard.shard }, message);
      },
    });
    return loader;
  }

  function enqueue(lines: Line[]): void {
    for (const line of lines) {
      const queue = queueFor(line);
      if (queue === null) parked.push(line);
      else queue.push(line);
    }
    for (const dispatcher of dispatchers) dispatcher.pump();
  }

  function queueFor({ endpoint, model }: Line): RouteQueue | null {
    // Neighbours are of one route nearly always.
    if (latest?.endpoint === endpoint && latest.model === model) return latest;
    const key = JSON.stringify([endpoint, model]);
    const known = queues.get(key);
    if (known !== undefined) {
      latest = known;
      return known;
    }
    const pool = dispatchersFor(model);
    if (pool.length === 0) return null;
    for (const dispatcher of pool) dispatchers.add(dispatcher);
    if (queues.size >= clearAt) leaveEmptyRoutes();
    const queue = createRouteQueue(
      { endpoint, model },
      {
        ...{ dispatchers: pool, clock, signal, share, onAnswered: endIfDone },
        maxAttempts: deps.settings.maxAttempts,
        random: deps.random ?? Math.random,
        onTaken(line) {
          const loader = shards.get(line.shard);
          loader?.taken(line);
          // It is called for each line; whether all is done is found out when the line comes back.
          loader?.fill()?.then(endIfDone, fail);
        },
      },
    );
    queues.set(key, queue);
    latest = queue;
    return queue;
  }

  /** A batch may name another model in each line. */
  function leaveEmptyRoutes(): void {
    for (const [key, queue] of queues) {
      if (ownRoutes.has(key) || queue.ready + queue.waiting + queue.inFlight > 0) continue;
      queue.end();
      queues.delete(key);
    }
    latest = null;
    clearAt = Math.max(manyRoutes, 2 * queues.size);
  }

  function onSettled(shard: ShardRun): void {
    const loader = shards.get(shard);
    if (loader === undefined || shard.outstanding > 0) return;
    shards.delete(shard);
    if (shards.size === 0) finishing.open();
    counts.completed += shard.tally.completed - shard.tallyBefore.completed;
    counts.failed += shard.tally.failed - shard.tallyBefore.failed;
    closing += 1;
    shard
      .close()
      .then((how) => {
        if (how === "released") loader.again();
      })
      .catch(fail)
      .finally(() => {
        closing -= 1;
        refill(loader);
      });
  }

  function mayFinish(): Promise<void> {
    const passes = finishing.wait();
    // Nothing else will end soon.
    if (shards.size === 0 || halted !== "no") finishing.open();
    return passes;
  }

  function fill(): void {
    for (const loader of loaders) refill(loader);
  }

  function refill(loader: Loader): void {
    const filling = loader.fill();
    if (filling === null) endIfDone();
    else filling.then(endIfDone, fail);
  }

  function heartbeat(): void {
    cancelHeartbeat = clock.after(untilBeat(clock.monotonic()), async () => {
      await Promise.all([...shards.keys()].map(renew)).catch(fail);
      currentRate(currentCounts());
      for (const queue of queues.values()) for (const { lane } of queue.ways) lane.rate(clock.monotonic());
      if (!ended) heartbeat();
    });
  }

  async function renew(shard: ShardRun): Promise<void> {
    const isHeld = await shard.renew().catch((reason: unknown) => {
      // Another beat may succeed before it runs out; calls in flight are not given up for one that failed.
      if (shard.lapsed) throw reason;
      onAway(NerifError.fromUnknown(reason, "renew a lease"), heartbeatMs);
      return true;
    });
    if (isHeld) return;
    // One that was closed meanwhile has no lease any more, and needs none.
    if (shards.has(shard)) fail(leaseLost({ batchId: batch.id, shard: shard.number }));
  }

  function fail(reason: unknown): void {
    problem ??= reason;
    over.abort();
    givenUp.abort();
    halt();
  }

  /** Sends nothing more; what is in flight may still come back. */
  function halt(): void {
    if (halted !== "no") return;
    halted = "halting";
    finishing.open();
    for (const queue of queues.values()) queue.halt();
    for (const line of parked.splice(0)) line.shard.dropped();
    Promise.all(loaders.map((loader) => loader.halt()))
      .then(() => {
        halted = "yes";
        endIfDone();
      })
      .catch(reject);
  }

  function breakOff(): void {
    over.abort();
  }

  function leave(): void {
    givenUp.abort();
    leaveStalled();
    forgetStall = deps.journal.onFlush(leaveStalled);
  }

  /** The time for stopping is over, and what was answered can be kept nowhere: waiting would only make a kill of it. */
  function leaveStalled(): void {
    if (!deps.journal.stalled) return;
    if (ended) {
      reject(problem);
      return;
    }
    const why = stallWords[deps.journal.stallReason];
    isLeft = true;
    fail(new NerifError("shutting_down", `Cannot keep the last answers of ${batch.id}: ${why}`));
    endIfDone();
  }

  function endIfDone(): void {
    if (ended || halted === "halting") return;
    if (halted === "yes") {
      for (const queue of queues.values()) if (queue.inFlight > 0) return;
      const keepLastFailure = interrupt.reason === "cancel" || interrupt.reason === "expire";
      for (const queue of queues.values()) queue.drain(keepLastFailure);
      // All that was answered is in the journal: the next process finds it there.
      if (interrupt.reason === "stop" && !deps.journal.stalled) givenUp.abort();
    }
    // A segment that waits for room cannot be closed.
    if (closing > 0 && !isLeft) return;
    // With a broken store shards cannot be closed; their leases run out.
    if (shards.size > 0 && problem === null) return;
    if (halted === "yes") end();
    else if (loaders.every((loader) => loader.exhausted)) confirmDone();
  }

  /** Nothing is left to lease. A shard may still be held by somebody who has failed, until that lease runs out. */
  function confirmDone(): void {
    if (confirming) return;
    confirming = true;
    control.openRoutes(batch.id).then((open) => {
      if (open.length === 0 && halted === "no") end();
      else if (!ended) cancelLook = options.others.wait(batch, lookAgain);
    }, fail);
  }

  function lookAgain(): void {
    control.getBatch(null, batch.id).then((now) => {
      confirming = false;
      // Another process has ended it: what is open of it now stays so.
      if (now?.version !== batch.version) {
        halt();
        return;
      }
      // Nothing is held by now. A shard whose lease came about after its answer was given up is held all the same, by
      // the old name, and never goes to that name again.
      holder = options.newHolder();
      for (const loader of loaders) loader.again();
      fill();
    }, fail);
  }

  function end(): void {
    ended = true;
    cancelHeartbeat();
    cancelLook();
    for (const queue of queues.values()) queue.end();
    if (problem === null) resolve(halted === "yes" ? "interrupted" : "done");
    else abandon();
  }

  function abandon(): void {
    // Segments that nothing can be written to cannot be closed either.
    const closing = deps.journal.stalled ? [] : [...shards.keys()].map((shard) => shard.abandon());
    Promise.all(closing).then(() => reject(problem), reject);
  }

  begin().catch(fail);
  const settled = finished.finally(() => {
    forgetStall();
    interrupt.left.removeEventListener("abort", leave);
  });
  return { finished: settled, progress };

  function progress(): Progress {
    const now = currentCounts();
    const told = { batchId: batch.id, journal: deps.journal, now: clock.monotonic() };
    const routes = [...queues.values()].flatMap((queue) => routeProgress(queue, told));
    for (const model of new Set(parked.map((line) => line.model))) {
      routes.push(withoutUpstream(model, parked.filter((line) => line.model === model).length));
    }
    const inFlight = routes.reduce((sum, route) => sum + route.inFlight, 0);
    return { counts: now, inFlight, rate: currentRate(now), routes };
  }

  function currentCounts(): RequestCounts {
    const now = { ...counts };
    for (const { tally, tallyBefore } of shards.keys()) {
      now.completed += tally.completed - tallyBefore.completed;
      now.failed += tally.failed - tallyBefore.failed;
    }
    return now;
  }

  function currentRate({ completed, failed }: RequestCounts): number | null {
    return rate(completed + failed, clock.monotonic());
  }
}

/** All batches of a process beat at once, so that it is one statement for all of them. */
function untilBeat(now: number): number {
  return Math.ceil((now + heartbeatMs / 2) / heartbeatMs) * heartbeatMs - now;
}
