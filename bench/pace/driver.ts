import type { Budget } from "../../src/engine/pace/budget.ts";
import { createCircuit } from "../../src/engine/pace/circuit.ts";
import { type Controller, createController } from "../../src/engine/pace/controller.ts";
import { judge, type LineHistory, newHistory } from "../../src/engine/retry.ts";
import type { Answer } from "../../src/upstreams/upstream.ts";
import type { SimulatedLine, SimulatedUpstream } from "./simulated-upstream.ts";
import type { World } from "./world.ts";

export interface DriverOptions {
  world: World;
  upstream: SimulatedUpstream;
  floor: number;
  ceiling: number;
  requests: Budget | null;
  tokens: Budget | null;
  maxAttempts: number;
  random: () => number;
  onFinal(line: SimulatedLine, ok: boolean): void;
}

interface Waiting {
  line: SimulatedLine;
  history: LineHistory;
  body: { length: number };
  sentAt: number;
  tokens: number;
  dueAt: number;
}

/** Sends lines of one route as the engine does, without files, journal and sockets. */
export function drive(lines: readonly SimulatedLine[], options: DriverOptions): Controller {
  const { world, upstream } = options;
  const controller = createController(options);
  const circuit = createCircuit();
  const waiting: Waiting[] = [];
  let next = 0;
  let succeeded = 0;
  let wakeAt = Number.POSITIVE_INFINITY;

  function pump(): void {
    for (;;) {
      const now = world.now();
      const fresh = lines[next];
      const first = waiting[0];
      const probing = circuit.open !== null;
      if (fresh === undefined && first === undefined) return;
      const mayBeFresh =
        fresh !== undefined && (probing || waiting.length < Math.max(2 * controller.limit, 64));
      const due = first !== undefined && (first.dueAt <= now || (probing && !mayBeFresh));
      const body = due ? first.body : { length: fresh?.text.length ?? 0 };
      const wait = Math.max(circuit.waitMs(now), controller.waitMs(now, body.length), doubtMs());
      if (wait > 0) {
        if (wait !== Number.POSITIVE_INFINITY) wake(now + Math.max(1, wait));
        return;
      }
      if (due && !(probing && mayBeFresh)) waiting.shift();
      else if (mayBeFresh) next += 1;
      else {
        wake(first?.dueAt ?? now);
        return;
      }
      const call: Waiting | undefined =
        due && !(probing && mayBeFresh)
          ? first
          : fresh && { line: fresh, history: newHistory(), body, sentAt: 0, tokens: 0, dueAt: 0 };
      if (call === undefined) return;
      controller.sent(call, now);
      circuit.sent();
      upstream.send(call.line, (answer) => answered(call, answer));
    }
  }

  /** While one line fails after another, fewer and fewer are risked. */
  function doubtMs(): number {
    const allowed = Math.max(1, controller.limit >> Math.max(0, circuit.doubts - 1));
    return circuit.open === null && circuit.doubts > 1 && controller.inFlight >= allowed
      ? Number.POSITIVE_INFINITY
      : 0;
  }

  function wake(at: number): void {
    if (at >= wakeAt) return;
    wakeAt = at;
    world.at(at, () => {
      if (wakeAt === at) wakeAt = Number.POSITIVE_INFINITY;
      pump();
    });
  }

  function answered(call: Waiting, answer: Answer): void {
    const now = world.now();
    const { history, line } = call;
    controller.answered(call, answer, now);
    tell(call, answer, now);
    if (answer.ok) options.onFinal(line, true);
    else {
      const verdict = judge(history, answer, { ...options, circuitOpen: circuit.open !== null });
      if (verdict.type === "final") options.onFinal(line, false);
      else {
        call.dueAt = now + verdict.ms;
        const at = waiting.findIndex(({ dueAt }) => dueAt > call.dueAt);
        waiting.splice(at === -1 ? waiting.length : at, 0, call);
      }
    }
    pump();
  }

  function tell({ history, line }: Waiting, answer: Answer, now: number): void {
    if (answer.ok) {
      succeeded += 1;
      if (circuit.open === "outage") controller.restart(now);
      circuit.succeeded();
      return;
    }
    const alone = history.succeededBefore !== null && succeeded > history.succeededBefore;
    history.succeededBefore = succeeded;
    const { reason, error } = answer;
    if (reason === "throttled" || reason === "aborted") circuit.inconclusive(now);
    else if (reason === "rejected" || reason === "too_large") circuit.succeeded();
    else if (alone && reason !== "refused" && reason !== "account") circuit.inconclusive(now);
    else circuit.failed(`${line.index}`, { reason, message: error.message }, now);
  }

  pump();
  return controller;
}
