import type { Answer, FailureReason, Upstream, UpstreamBounds } from "../../upstreams/upstream.ts";
import type { Clock } from "../clock.ts";
import type { LaneState } from "../engine.ts";
import type { Budget } from "../pace/budget.ts";
import { type Circuit, createCircuit } from "../pace/circuit.ts";
import { createController, type PacedCall } from "../pace/controller.ts";
import { createFairTurns, type Entrant } from "../pace/fair-turns.ts";
import type { Share } from "../pace/share.ts";
import type { Line } from "./line.ts";
import { createRateMeter } from "./rate-meter.ts";
import { longestBackoffMs } from "./retry.ts";
import { testCallBody, testCallPrefix } from "./test-call.ts";

/** One route (endpoint and model) at one upstream, shared by all batches of this process. */
export interface Lane {
  readonly endpoint: string;
  readonly model: string | null;
  readonly upstream: Upstream;
  readonly circuit: Circuit;
  /** Calls that may be in flight at once, as far as is known now. */
  readonly limit: number;
  readonly inFlight: number;
  /** Requests per second that the upstream lets through; null as long as it has not refused any. */
  readonly ratePerSecond: number | null;
  /** Lines that failed here and wait for another try, over all batches. */
  waiting: number;
  succeeded: number;
  /** Calls that came back without success, by why, over all batches. */
  readonly failures: Readonly<Record<FailureReason, number>>;
  /** Successes per second of late; null until it can be told. It has to be asked now and then. */
  rate(now: number): number | null;
  /** No batch has lines for it. */
  readonly isIdle: boolean;
  add(source: LineSource): void;
  remove(source: LineSource): void;
  /** The next line that may be sent at `now`, or null. */
  take(now: number): Line | null;
  /** Milliseconds until `take` may have one by the mere passing of time, or Infinity. */
  wakeMs(now: number): number;
  sent(call: LaneCall, now: number): void;
  /** Learns from an answer, and notes in the line's history how the lane was doing when it failed. */
  answered(call: LaneCall, answer: Answer, now: number): void;
  /**
   * Why nothing new is sent, for those who see this batch. What the upstream said of a line may quote it, and its
   * batch may be somebody else's: they get words of our own, and so does whoever sees none (null).
   */
  reason(batchId: string | null): { code: NonNullable<LaneState["reason"]>; message: string } | null;
}

/** What a lane has to know of a line that is sent. */
export type LaneCall = PacedCall & Pick<Line, "batchId" | "index" | "history">;

/** Where lines come from: one route of one batch. */
export interface LineSource extends Entrant {
  readonly signal: AbortSignal;
  /** The line whose bytes `bytes` told, or null. */
  take(now: number): Line | null;
  /** Milliseconds until a line that waits for another try is due, or Infinity. */
  dueMs(now: number): number;
  /** What came of a line. Called before the next line is taken. */
  answered(line: Line, answer: Answer, now: number): void;
}

export interface LaneOptions {
  upstream: Upstream;
  clock: Clock;
  /** What all lanes of the upstream share. */
  requests: Budget | null;
  tokens: Budget | null;
  /** The share that it may take at present; null: all. */
  share: Share | null;
  /** The circuit has changed without a line that came back: something may be sent. */
  onTested: () => void;
}

/** How long a request of our own that succeeded shows that the upstream is well: the longest wait for another try. */
const trustMs = longestBackoffMs;

const ownWords = {
  outage: "The upstream fails one line after another; it is asked again from time to time",
  unreachable: "The upstream cannot be reached; it is tried again from time to time",
  account: "The upstream refuses the account of this server; it is asked again from time to time",
};

export function createLane(
  route: { endpoint: string; model: string | null },
  { upstream, clock, requests, tokens, share, onTested }: LaneOptions,
): Lane {
  const circuit = createCircuit();
  const controller = createController({ ...paceOf(upstream.bounds, share), requests, tokens });
  const turns = createFairTurns<LineSource>();
  const failures = noFailures();
  let meter = createRateMeter();
  /** When a request of our own succeeded last. */
  let testedAt = Number.NEGATIVE_INFINITY;
  /** When the latest call that succeeded was sent: what was on its way before says nothing about the time since. */
  let provenAt = Number.NEGATIVE_INFINITY;

  const lane: Lane = {
    ...route,
    upstream,
    circuit,
    get limit() {
      return controller.limit;
    },
    get inFlight() {
      return controller.inFlight;
    },
    get ratePerSecond() {
      return controller.ratePerSecond;
    },
    get isIdle() {
      return turns.entrants.length === 0;
    },
    waiting: 0,
    succeeded: 0,
    failures,
    rate: (now) => meter(lane.succeeded, now),
    add(source) {
      // The time in which nobody had anything to send says nothing about the rate.
      if (lane.isIdle) {
        meter = createRateMeter();
        meter(lane.succeeded, clock.monotonic());
      }
      turns.enter(source);
    },
    remove: turns.leave,
    take(now) {
      if (circuit.waitMs(now) > 0 || isInDoubt()) return null;
      for (;;) {
        const source = controller.inFlight < controller.limit ? turns.next(now) : null;
        if (source === null || controller.waitMs(now, source.bytes(now)) > 0) return null;
        if (circuit.wantsTest) {
          test(source.signal);
          return null;
        }
        const line = source.take(now);
        // Its line went back with its shard: perhaps there is another one.
        if (line === null) continue;
        line.source = source;
        turns.served(controller.limit);
        return line;
      }
    },
    wakeMs(now) {
      if (controller.inFlight >= controller.limit) return Number.POSITIVE_INFINITY;
      const probe = circuit.waitMs(now);
      if (probe === Number.POSITIVE_INFINITY || isInDoubt()) return Number.POSITIVE_INFINITY;
      const source = turns.next(now);
      if (source !== null) return Math.max(probe, controller.waitMs(now, source.bytes(now)));
      let soonest = Number.POSITIVE_INFINITY;
      for (const other of turns.entrants) soonest = Math.min(soonest, other.dueMs(now));
      return Math.max(probe, soonest);
    },
    sent(line, now) {
      controller.sent(line, now);
      circuit.sent();
    },
    answered(line, answer, now) {
      controller.answered(line, answer, now);
      if (answer.ok) {
        lane.succeeded += 1;
        provenAt = Math.max(provenAt, line.sentAt);
        if (circuit.open === "outage") controller.restart(now);
        circuit.succeeded();
        return;
      }
      failures[answer.reason] += 1;
      const { history } = line;
      // Others got through since it failed before: it fails alone, and says nothing about the upstream. Without this,
      // eight such lines at the end of a file would look like an outage for ever.
      const before = history.failedBefore;
      const alone =
        before !== null &&
        ((before.lane === lane && provenAt >= before.at) || line.sentAt - testedAt < trustMs);
      history.failedBefore = { lane, at: now };
      const { reason, status, error } = answer;
      const failure = { reason, status, message: error.message };
      switch (reason) {
        case "unavailable":
        case "reset":
        case "timeout":
          if (alone) circuit.inconclusive(now);
          else circuit.failed(nameOf(line), failure, now);
          break;
        case "account":
          if (alone && status === 403) circuit.inconclusive(now);
          else circuit.failed(nameOf(line), failure, now);
          break;
        case "refused":
          circuit.failed(nameOf(line), failure, now);
          break;
        // A definite refusal of one line shows that the upstream is up.
        case "rejected":
        case "too_large":
          if (circuit.open !== "account") circuit.succeeded();
          else circuit.inconclusive(now);
          break;
        case "throttled":
        case "aborted":
          circuit.inconclusive(now);
      }
    },
    reason(batchId) {
      const { reason, message, line } = circuit;
      if (reason !== null) {
        const isOwn = batchId !== null && line?.startsWith(`${batchId}:`) === true;
        return { code: reason, message: (isOwn ? message : null) ?? ownWords[reason] };
      }
      const left = controller.pauseMs(clock.monotonic());
      if (left === 0) return null;
      return { code: "throttled", message: `The upstream asked to wait ${Math.ceil(left / 1000)} s more` };
    },
  };
  return lane;

  /** Shows whether the upstream is well: if so, the lines that it fails are the trouble. */
  function test(signal: AbortSignal): void {
    circuit.sent();
    upstream.send({
      endpoint: route.endpoint,
      body: testCallBody(route),
      // Never one that it has seen: what it answered then says nothing about now.
      idempotencyKey: `${testCallPrefix}:${clock.now()}`,
      signal,
      onAnswer(answer) {
        const now = clock.monotonic();
        if (answer.ok) {
          testedAt = now;
          if (circuit.open === "outage") controller.restart(now);
          circuit.succeeded();
        } else if (answer.reason === "aborted") circuit.inconclusive(now);
        else circuit.testFailed(now);
        onTested();
      },
    });
  }

  /** While one line fails after another, with no success between, ever fewer are risked. */
  function isInDoubt(): boolean {
    if (circuit.doubts < 2 || circuit.open !== null) return false;
    return controller.inFlight >= Math.max(1, controller.limit >> (circuit.doubts - 1));
  }
}

function noFailures(): Record<FailureReason, number> {
  return {
    ...{ rejected: 0, account: 0, throttled: 0, unavailable: 0, refused: 0 },
    ...{ reset: 0, timeout: 0, too_large: 0, aborted: 0 },
  };
}

function paceOf({ concurrency, yields }: UpstreamBounds, share: Share | null) {
  const targetLatencyMs = yields?.targetLatencyMs ?? null;
  return {
    floor: concurrency.least,
    ceiling: concurrency.most,
    yields: share === null && targetLatencyMs === null ? null : { share, targetLatencyMs },
  };
}

function nameOf({ batchId, index }: LaneCall): string {
  return `${batchId}:${index}`;
}
