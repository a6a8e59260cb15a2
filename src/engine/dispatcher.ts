import { limits } from "../batch/limits.ts";
import type { Journal } from "../journal/journal.ts";
import type { Answer, Upstream } from "../upstreams/upstream.ts";
import type { Clock } from "./clock.ts";
import { createLane, type Lane } from "./lane.ts";
import type { Line } from "./line.ts";
import { createPace, type Pace } from "./pace.ts";

/** Sends lines to one upstream: as many at once as its pace allows, in turn from all routes of all batches. */
export interface Dispatcher {
  readonly upstream: Upstream;
  readonly pace: Pace;
  /** The lane of a route at this upstream; always the same one for the same route. */
  lane(endpoint: string, model: string | null): Lane;
  add(source: LineSource): void;
  remove(source: LineSource): void;
  /** Sends what may be sent now. To be called whenever that may have changed. */
  pump(): void;
}

/** Where lines come from: one route of one batch. */
export interface LineSource {
  readonly lane: Lane;
  readonly signal: AbortSignal;
  /** The next line that may be sent now, or null. */
  take(): Line | null;
  /** Milliseconds until `take` may have one by the mere passing of time, or null. */
  wakeMs(): number | null;
  /** What came of a line. Called before the next line is taken. */
  answered(line: Line, answer: Answer): void;
}

export function createDispatcher(upstream: Upstream, deps: { journal: Journal; clock: Clock }): Dispatcher {
  const { journal, clock } = deps;
  const pace = createPace(upstream.concurrency);
  const lanes = new Map<string, Lane>();
  const sources: LineSource[] = [];
  let turn = 0;
  let cancelTimer: (() => void) | null = null;

  function mayEverSend(): boolean {
    return pace.hasRoom() && !journal.stalled && journal.unflushedBytes < limits.unflushedBytes;
  }

  function pump(): void {
    while (mayEverSend()) {
      if (sendNext()) continue;
      sleepUntilDue();
      return;
    }
  }

  /** Asks every source once, beginning behind the one that was served last. */
  function sendNext(): boolean {
    for (let i = 0; i < sources.length; i++) {
      turn = (turn + 1) % sources.length;
      const source = sources[turn];
      const line = source?.take();
      if (source && line) {
        send(source, line);
        return true;
      }
    }
    return false;
  }

  function send(source: LineSource, line: Line): void {
    pace.sent(line.body.length);
    source.lane.sent();
    upstream.send({
      endpoint: line.endpoint,
      body: line.body,
      idempotencyKey: `${line.batchId}:${line.index}:${line.history.answers}`,
      signal: source.signal,
      onAnswer: (answer) => onAnswer(source, line, answer),
    });
  }

  function onAnswer(source: LineSource, line: Line, answer: Answer): void {
    pace.answered(line.body.length);
    source.lane.answered(line, answer);
    source.answered(line, answer);
    pump();
  }

  function sleepUntilDue(): void {
    cancelTimer?.();
    cancelTimer = null;
    let soonest = Number.POSITIVE_INFINITY;
    for (const source of sources) soonest = Math.min(soonest, source.wakeMs() ?? soonest);
    if (soonest !== Number.POSITIVE_INFINITY) cancelTimer = clock.after(Math.max(1, soonest), pump);
  }

  return {
    upstream,
    pace,
    lane(endpoint, model) {
      const key = JSON.stringify([endpoint, model]);
      const lane = lanes.get(key) ?? createLane({ endpoint, model }, { upstream, clock });
      lanes.set(key, lane);
      return lane;
    },
    add(source) {
      sources.push(source);
    },
    remove(source) {
      const at = sources.indexOf(source);
      if (at >= 0) sources.splice(at, 1);
      if (sources.length === 0) {
        cancelTimer?.();
        cancelTimer = null;
      }
    },
    pump,
  };
}
