import { failureLine, successLine } from "../../batch/result-line.ts";
import { recordKinds } from "../../journal/journal.ts";
import type { Answer, Failure } from "../../upstreams/upstream.ts";
import type { Clock } from "../clock.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Lane, LineSource } from "./lane.ts";
import type { Line } from "./line.ts";
import { maxWaiting } from "./pace.ts";
import { judge } from "./retry.ts";

/** The lines of one route of one batch that are ready to be sent or wait for another try. */
export interface RouteQueue {
  readonly endpoint: string;
  readonly model: string | null;
  /** The lanes that take lines from here, one at each upstream that serves the model, and the calls in flight there. */
  readonly ways: readonly Way[];
  readonly inFlight: number;
  readonly waiting: number;
  /** Lines that were not sent yet. */
  readonly ready: number;
  push(line: Line): void;
  /** Lets the lanes send what may be sent. */
  pump(): void;
  /** Sends nothing more. Lines that are ready are dropped; those in flight still come back. */
  halt(): void;
  /** Ends the lines that wait for another try: into the journal with their last failure, or dropped. */
  drain(keepLastFailure: boolean): void;
  /** Takes it out of its lanes. */
  end(): void;
}

interface Way {
  readonly lane: Lane;
  readonly inFlight: number;
}

export interface RouteQueueOptions {
  /** The upstreams that serve the model. Whichever has room takes the next line. */
  dispatchers: readonly Dispatcher[];
  clock: Clock;
  maxAttempts: number;
  random: () => number;
  /** Breaks calls in flight off. */
  signal: AbortSignal;
  /** How the batch shares lanes with others. */
  share: { project: string; weight: number; deadline: number };
  /** A line left the queue for the upstream. */
  onTaken: (line: Line) => void;
  /** A line came back, whatever became of it. */
  onAnswered: () => void;
}

export function createRouteQueue(
  route: { endpoint: string; model: string | null },
  options: RouteQueueOptions,
): RouteQueue {
  const { dispatchers, clock, signal } = options;
  let ready: Line[] = [];
  let next = 0;
  /** Sorted by the time at which they are due. */
  const waiting: Line[] = [];
  let halted = false;
  const ways = dispatchers.map((dispatcher) => createWay(dispatcher));

  function createWay(dispatcher: Dispatcher): Way & { inFlight: number; leave: () => void } {
    const lane = dispatcher.lane(route.endpoint, route.model);
    const way = { lane, inFlight: 0, leave: () => dispatcher.remove(lane, source) };
    const source: LineSource = {
      ...options.share,
      signal,
      bytes: (now) => peek(lane, now)?.body.length ?? -1,
      take(now) {
        const line = take(lane, now);
        if (line !== null) way.inFlight += 1;
        return line;
      },
      dueMs: (now) => (halted ? Number.POSITIVE_INFINITY : dueMs(now)),
      answered(line, answer) {
        way.inFlight -= 1;
        settle(line, answer, lane);
        options.onAnswered();
      },
    };
    lane.add(source);
    return way;
  }

  /** What `take` would give, save that a line may turn out to go back with its shard. */
  function peek(lane: Lane, now: number): Line | undefined {
    if (halted) return undefined;
    const first = waiting[0];
    const unsent = ready[next];
    if (lane.circuit.open !== null) return unsent ?? first;
    const due = first !== undefined && first.dueAt <= now ? first : undefined;
    const mayRisk = lane.waiting < maxWaiting(lane.limit) ? unsent : undefined;
    // While it is in doubt whether the lines or the upstream are at fault, one that has not failed yet tells more: the
    // same few again would spend all their attempts before enough different ones have shown an outage.
    return lane.circuit.doubts > 0 ? (mayRisk ?? due) : (due ?? mayRisk);
  }

  function take(lane: Lane, now: number): Line | null {
    const line = peek(lane, now);
    if (line === undefined) return null;
    if (line !== ready[next]) return takeWaiting();
    // A line that has not failed yet tells more, and any of them, since lines that break a call may stand together.
    if (lane.circuit.open !== null) chooseAnyReady();
    return takeUnsent();
  }

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

  function takeUnsent(): Line | null {
    for (;;) {
      const line = takeReady();
      if (line === undefined) return null;
      options.onTaken(line);
      if (!line.shard.full && !line.shard.lapsed) return line;
      // It goes back with its shard, for the next lease.
      line.shard.dropped();
    }
  }

  function chooseAnyReady(): void {
    const other = next + Math.floor(options.random() * (ready.length - next));
    const [first, chosen] = [ready[next], ready[other]];
    if (first === undefined || chosen === undefined) return;
    ready[next] = chosen;
    ready[other] = first;
  }

  function takeWaiting(): Line | null {
    const line = waiting.shift() ?? null;
    if (line === null) return null;
    noLongerWaiting(line);
    if (!line.shard.lapsed) return line;
    // The one behind it may not be due yet: whoever takes lines looks again.
    line.shard.dropped();
    return null;
  }

  function dueMs(now: number): number {
    const first = waiting[0];
    return first === undefined ? Number.POSITIVE_INFINITY : Math.max(0, first.dueAt - now);
  }

  function wait(line: Line, lane: Lane, { failure, ms }: { failure: Failure; ms: number }): void {
    line.last = failure;
    line.dueAt = clock.monotonic() + ms;
    let at = waiting.length;
    while (at > 0 && (waiting[at - 1]?.dueAt ?? 0) > line.dueAt) at -= 1;
    waiting.splice(at, 0, line);
    line.failedOn = lane;
    lane.waiting += 1;
  }

  function noLongerWaiting(line: Line): void {
    if (line.failedOn !== null) line.failedOn.waiting -= 1;
    line.failedOn = null;
  }

  return {
    ...route,
    ways,
    get inFlight() {
      let sum = 0;
      for (const way of ways) sum += way.inFlight;
      return sum;
    },
    get waiting() {
      return waiting.length;
    },
    get ready() {
      return ready.length - next;
    },
    push: (line) => void ready.push(line),
    pump() {
      for (const dispatcher of dispatchers) dispatcher.pump();
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
        noLongerWaiting(line);
        if (keepLastFailure && line.last !== null) record(line, line.last, recordKinds.unfinished);
        else line.shard.dropped();
      }
    },
    end() {
      for (const way of ways) way.leave();
    },
  };

  function settle(line: Line, answer: Answer, lane: Lane): void {
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
    if (verdict.type === "wait") wait(line, lane, { failure: answer, ms: verdict.ms });
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
