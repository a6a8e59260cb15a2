import type { Answer, Upstream } from "../upstreams/upstream.ts";
import { type Circuit, createCircuit } from "./circuit.ts";
import type { Clock } from "./clock.ts";
import type { RouteProgress } from "./engine.ts";
import type { Line } from "./line.ts";
import { createPause } from "./pace.ts";

/** One route (endpoint and model) at one upstream, shared by all batches of this process. */
export interface Lane {
  readonly endpoint: string;
  readonly model: string | null;
  readonly upstream: Upstream;
  readonly circuit: Circuit;
  /** Lines that wait for another try, over all batches. */
  waiting: number;
  inFlight: number;
  succeeded: number;
  /** Milliseconds until something may be sent: 0 now, null when an answer has to come first. */
  waitMs(): number | null;
  sent(): void;
  /** Learns from an answer, and notes in the line's history how the lane was doing when it failed. */
  answered(line: Pick<Line, "batchId" | "index" | "history">, answer: Answer): void;
  /**
   * Why nothing new is sent, for those who see this batch. What the upstream said of a line may quote it, and its
   * batch may be somebody else's: they get words of our own.
   */
  reason(batchId: string): RouteProgress["reason"];
}

const ownWords = {
  outage: "The upstream fails one line after another; it is asked again from time to time",
  unreachable: "The upstream cannot be reached; it is tried again from time to time",
  account: "The upstream refuses the account of this server; it is asked again from time to time",
};

export function createLane(
  route: { endpoint: string; model: string | null },
  { upstream, clock }: { upstream: Upstream; clock: Clock },
): Lane {
  const circuit = createCircuit(clock);
  const pause = createPause(clock);
  const lane: Lane = {
    ...route,
    upstream,
    circuit,
    waiting: 0,
    inFlight: 0,
    succeeded: 0,
    waitMs() {
      const probe = circuit.waitMs();
      return probe === null ? null : Math.max(probe, pause.left());
    },
    sent() {
      lane.inFlight += 1;
      circuit.sent();
    },
    answered(line, answer) {
      lane.inFlight -= 1;
      if (answer.ok) {
        lane.succeeded += 1;
        circuit.succeeded();
        return;
      }
      if (answer.retryAfterMs !== null) pause.until(answer.retryAfterMs);
      const { history } = line;
      // Others got through since it failed before: it fails alone, and says nothing about the upstream. Without this,
      // eight such lines at the end of a file would look like an outage for ever.
      const alone = history.succeededBefore !== null && lane.succeeded > history.succeededBefore;
      history.succeededBefore = lane.succeeded;
      switch (answer.reason) {
        case "unavailable":
        case "reset":
        case "timeout":
          if (alone) circuit.inconclusive();
          else circuit.failed(nameOf(line), answer.reason, answer.error.message);
          break;
        case "refused":
        case "account":
          circuit.failed(nameOf(line), answer.reason, answer.error.message);
          break;
        // A definite refusal of one line shows that the upstream is up.
        case "rejected":
        case "too_large":
          if (circuit.open !== "account") circuit.succeeded();
          else circuit.inconclusive();
          break;
        case "throttled":
        case "aborted":
          circuit.inconclusive();
      }
    },
    reason(batchId) {
      const { reason, message, line } = circuit;
      if (reason !== null) {
        const isOwn = line?.startsWith(`${batchId}:`) === true;
        return { code: reason, message: (isOwn ? message : null) ?? ownWords[reason] };
      }
      const left = pause.left();
      if (left === 0) return null;
      return { code: "throttled", message: `The upstream asked to wait ${Math.ceil(left / 1000)} s more` };
    },
  };
  return lane;
}

function nameOf({ batchId, index }: Pick<Line, "batchId" | "index">): string {
  return `${batchId}:${index}`;
}
