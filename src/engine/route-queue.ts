import { failureLine, successLine } from "../batch/result-line.ts";
import { recordKinds } from "../journal/journal.ts";
import type { Answer, Failure } from "../upstreams/upstream.ts";
import type { Clock } from "./clock.ts";
import type { Dispatcher, LineSource } from "./dispatcher.ts";
import type { Line } from "./line.ts";
import { maxWaiting } from "./pace.ts";
import { judge } from "./retry.ts";

/** The lines of one route of one batch that are ready to be sent or wait for another try. */
export interface RouteQueue extends LineSource {
  readonly inFlight: number;
  readonly waiting: number;
  /** Lines that were not sent yet. */
  readonly ready: number;
  push(line: Line): void;
  /** Sends nothing more. Lines that are ready are dropped; those in flight still come back. */
  halt(): void;
  /** Ends the lines that wait for another try: into the journal with their last failure, or dropped. */
  drain(keepLastFailure: boolean): void;
}

export interface RouteQueueOptions {
  dispatcher: Dispatcher;
  clock: Clock;
  maxAttempts: number;
  random: () => number;
  /** Breaks calls in flight off. */
  signal: AbortSignal;
  /** A line left the queue for the upstream. */
  onTaken: (line: Line) => void;
  /** A line came back, whatever became of it. */
  onAnswered: () => void;
}

export function createRouteQueue(
  route: { endpoint: string; model: string | null },
  options: RouteQueueOptions,
): RouteQueue {
  const { dispatcher, clock } = options;
  const lane = dispatcher.lane(route.endpoint, route.model);
  let ready: Line[] = [];
  let next = 0;
  /** Sorted by the time at which they are due. */
  const waiting: Line[] = [];
  let inFlight = 0;
  let halted = false;

  function takeReady(): Line | undefined {
    const line = ready[next];
    if (line === undefined) return undefined;
    next += 1;
    if (next === ready.length) {
      ready = [];
      next = 0;
    }
    return line;
  }

  function takeUnsent(): Line | undefined {
    for (;;) {
      const line = takeReady();
      if (line === undefined) return undefined;
      options.onTaken(line);
      if (!line.shard.full) return line;
      // It goes back with its shard, for the next lease.
      line.shard.dropped();
    }
  }

  /**
   * A line that has not failed yet tells more, and any of them, since lines that break a call may stand together;
   * else the one that has waited longest for its turn.
   */
  function takeProbe(): Line | undefined {
    const other = next + Math.floor(options.random() * (ready.length - next));
    const [first, chosen] = [ready[next], ready[other]];
    if (first !== undefined && chosen !== undefined) {
      ready[next] = chosen;
      ready[other] = first;
    }
    return takeUnsent() ?? takeWaiting(true);
  }

  function takeWaiting(evenIfNotDue: boolean): Line | undefined {
    const first = waiting[0];
    if (first === undefined || (first.dueAt > clock.monotonic() && !evenIfNotDue)) return undefined;
    lane.waiting -= 1;
    return waiting.shift();
  }

  function wait(line: Line, failure: Failure, ms: number): void {
    line.last = failure;
    line.dueAt = clock.monotonic() + ms;
    let at = waiting.length;
    while (at > 0 && (waiting[at - 1]?.dueAt ?? 0) > line.dueAt) at -= 1;
    waiting.splice(at, 0, line);
    lane.waiting += 1;
  }

  return {
    lane,
    signal: options.signal,
    get inFlight() {
      return inFlight;
    },
    get waiting() {
      return waiting.length;
    },
    get ready() {
      return ready.length - next;
    },
    push: (line) => void ready.push(line),
    take() {
      if (halted || lane.waitMs() !== 0) return null;
      let line = lane.circuit.open === null ? takeWaiting(false) : takeProbe();
      if (line === undefined && lane.waiting < maxWaiting(dispatcher.pace.limit)) {
        line = takeUnsent();
      }
      if (line === undefined) return null;
      inFlight += 1;
      return line;
    },
    wakeMs() {
      if (halted) return null;
      const laneMs = lane.waitMs();
      if (laneMs === null) return null;
      const first = waiting[0];
      if (laneMs > 0) return first !== undefined || next < ready.length ? laneMs : null;
      return first === undefined ? null : Math.max(0, first.dueAt - clock.monotonic());
    },
    answered(line, answer) {
      inFlight -= 1;
      settle(line, answer);
      options.onAnswered();
    },
    halt() {
      halted = true;
      const unsent = ready.slice(next);
      ready = [];
      next = 0;
      for (const line of unsent) line.shard.dropped();
    },
    drain(keepLastFailure) {
      for (const line of waiting.splice(0)) {
        lane.waiting -= 1;
        if (keepLastFailure && line.last !== null) record(line, line.last, recordKinds.unfinished);
        else line.shard.dropped();
      }
    },
  };

  function settle(line: Line, answer: Answer): void {
    if (answer.ok) {
      const payload = successLine(line.shard.name(line), answer);
      line.shard.append(line, { kind: recordKinds.output, payload, tokens: answer.tokens });
      return;
    }
    if (answer.reason === "aborted") {
      line.shard.dropped();
      return;
    }
    if (answer.status !== null) line.history.answers += 1;
    const circuitOpen = lane.circuit.open !== null;
    const { maxAttempts, random } = options;
    const verdict = judge(line.history, answer, { circuitOpen, maxAttempts, random });
    if (verdict.type === "wait") wait(line, answer, verdict.ms);
    else record(line, answer, recordKinds.error);
  }

  function record(line: Line, failure: Failure, kind: 1 | 2): void {
    const { status, requestId, body } = failure;
    const response = status === null ? null : { status, requestId, body };
    line.shard.append(line, {
      kind,
      payload: failureLine(line.shard.name(line), response, failure.error),
      tokens: null,
    });
  }
}
