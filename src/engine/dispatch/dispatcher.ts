import { limits } from "../../batch/limits.ts";
import type { Journal } from "../../journal/journal.ts";
import type { Answer, Upstream } from "../../upstreams/upstream.ts";
import type { Clock } from "../clock.ts";
import { createBudget } from "../pace/budget.ts";
import { createShare } from "../pace/share.ts";
import { createIdleLanes, type ForgottenLanes } from "./idle-lanes.ts";
import { createLane, type Lane, type LineSource } from "./lane.ts";
import type { Line } from "./line.ts";
import { createPace, type Pace } from "./pace.ts";

/** Sends lines to one upstream: as fast as each of its lanes may be asked, in turn from all lanes. */
export interface Dispatcher {
  readonly upstream: Upstream;
  readonly pace: Pace;
  /** Its lanes, in the order in which they came up, without those that are forgotten. */
  readonly lanes: readonly Lane[];
  readonly forgotten: readonly ForgottenLanes[];
  /** The lane of a route at this upstream, for who adds a source to it; while it has one it is always the same. */
  lane(endpoint: string, model: string | null): Lane;
  /** A source of one of its lanes has ended. */
  remove(lane: Lane, source: LineSource): void;
  /** Sends what may be sent now. To be called whenever that may have changed. */
  pump(): void;
}

export interface DispatcherDeps {
  journal: Journal;
  clock: Clock;
  /** What part of the upstream's budgets may be spent here. Default: all of it. */
  part?: (now: number) => number;
}

/** How often a dispatcher without room looks again by itself, in milliseconds. */
const noRoomMs = 1_000;

export function createDispatcher(upstream: Upstream, deps: DispatcherDeps): Dispatcher {
  const { journal, clock, part } = deps;
  const { concurrency, requestsPerMinute, tokensPerMinute, yields } = upstream.bounds;
  const share = yields === undefined ? null : createShare(yields, clock);
  const pace = createPace(concurrency.most, share);
  const requests = requestsPerMinute === null ? null : createBudget(requestsPerMinute, part);
  const tokens = tokensPerMinute === null ? null : createBudget(tokensPerMinute, part);
  const byRoute = new Map<string, Lane>();
  const lanes: Lane[] = [];
  const idle = createIdleLanes();
  let turn = 0;
  let cancelTimer: (() => void) | null = null;
  let timerAt = Number.POSITIVE_INFINITY;

  function maySend(): boolean {
    return pace.hasRoom() && !journal.stalled && journal.unflushedBytes < limits.unflushedBytes;
  }

  function pump(): void {
    let passedOver = 0;
    // Until no lane has anything: each gets one call in turn.
    while (passedOver < lanes.length && maySend()) {
      turn = (turn + 1) % lanes.length;
      const lane = lanes[turn];
      passedOver = lane !== undefined && sendFrom(lane, clock.monotonic()) ? 0 : passedOver + 1;
    }
    const now = clock.monotonic();
    for (const lane of lanes) sleepUntilDue(lane, now);
  }

  /** As `pump`, where nothing has changed but this lane. It runs for each line: the clock is asked when it has to be. */
  function pumpLane(lane: Lane, now: number): void {
    let at = now;
    while (lane.inFlight < lane.limit && maySend() && sendFrom(lane, at)) {
      if (lane.inFlight < lane.limit) at = clock.monotonic();
    }
    if (lane.inFlight < lane.limit) sleepUntilDue(lane, at);
  }

  function sendFrom(lane: Lane, now: number): boolean {
    const line = lane.take(now);
    if (line === null) return false;
    send(lane, line, now);
    return true;
  }

  function send(lane: Lane, line: Line, now: number): void {
    const { source } = line;
    if (source === null) return;
    pace.sent(line.body.length);
    lane.sent(line, now);
    upstream.send({
      endpoint: line.endpoint,
      body: line.body,
      idempotencyKey: `${line.batchId}:${line.index}:${line.history.answers}`,
      signal: source.signal,
      onAnswer: (answer) => onAnswer(lane, line, answer),
    });
  }

  function onAnswer(lane: Lane, line: Line, answer: Answer): void {
    const now = clock.monotonic();
    const othersWait = !pace.hasRoom();
    pace.answered(line.body.length);
    lane.answered(line, answer, now);
    line.source?.answered(line, answer, now);
    if (othersWait) pump();
    else pumpLane(lane, now);
  }

  /** One timer for all lanes: for the first that has something to send by the mere passing of time. */
  function sleepUntilDue(lane: Lane, now: number): void {
    const wake = lane.wakeMs(now);
    if (wake === Number.POSITIVE_INFINITY) return;
    // Room is made by answers and flushes, which pump; that its part of the limit has grown with the time of day does not.
    const ms = maySend() ? wake : Math.max(wake, noRoomMs);
    const at = now + Math.max(1, ms);
    if (timerAt <= at) return;
    cancelTimer?.();
    timerAt = at;
    cancelTimer = clock.after(at - now, () => {
      timerAt = Number.POSITIVE_INFINITY;
      cancelTimer = null;
      pump();
    });
  }

  return {
    upstream,
    pace,
    lanes,
    get forgotten() {
      return idle.forgotten;
    },
    lane(endpoint, model) {
      const key = keyOf(endpoint, model);
      let lane = byRoute.get(key);
      if (lane === undefined) {
        lane = createLane({ endpoint, model }, { upstream, clock, requests, tokens, share, onTested: pump });
        byRoute.set(key, lane);
        lanes.push(lane);
      }
      idle.used(lane);
      return lane;
    },
    remove(lane, source) {
      lane.remove(source);
      const forgotten = lane.isIdle ? idle.left(lane) : null;
      if (forgotten !== null) {
        byRoute.delete(keyOf(forgotten.endpoint, forgotten.model));
        lanes.splice(lanes.indexOf(forgotten), 1);
      }
      // A timer for nobody would keep the process alive.
      if (idle.size < lanes.length) return;
      cancelTimer?.();
      cancelTimer = null;
      timerAt = Number.POSITIVE_INFINITY;
    },
    pump,
  };
}

function keyOf(endpoint: string, model: string | null): string {
  return JSON.stringify([endpoint, model]);
}
