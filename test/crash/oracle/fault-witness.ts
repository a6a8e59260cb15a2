import { hash } from "node:crypto";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { simulateAnswer } from "../../../src/upstreams/simulator/answers.ts";
import { createRandom, seedOf } from "../../../src/upstreams/simulator/random.ts";
import type { LoggedRequest } from "../../../src/upstreams/simulator/request-log.ts";
import { type FaultyRequest, type Scripted, startFaultServer } from "../../support/fault-server.ts";
import { type FaultKind, noFault } from "./fault-kinds.ts";

/** A call as the witness saw it. */
export interface FaultCall extends LoggedRequest {
  kind: FaultKind;
  /** Seconds or date of a `Retry-After`, as the moment before which the line may not come again. */
  notBefore: number | null;
  /** The connection was taken from it on purpose, or the client gave it up: what the client saw is unknown. */
  doubtful: boolean;
  connection: number;
}

/** A model server that fails as `pick` says, and answers all else as the simulator does. */
export interface FaultWitness {
  url: string;
  calls(): FaultCall[];
  /** No faults from now on. */
  stopFaults(): void;
  /** Refuses connections for so long, and resets those that are open. */
  refuse(ms: number): Promise<void>;
  stop(): Promise<void>;
}

/** @param pick the fault of the `nth` call for a line; null: it is answered */
export async function startFaultWitness(
  pick: (random: number, nth: number) => FaultKind | null,
  { seed }: { seed: number },
): Promise<FaultWitness> {
  const calls: FaultCall[] = [];
  const nths = new Map<string, number>();
  const last = new Map<Socket, FaultCall>();
  let faulty = true;

  function script(request: FaultyRequest, socket: Socket): Scripted {
    const path = request.path.slice("/ok".length);
    const digest = hash("sha256", request.body);
    const nth = (nths.get(digest) ?? 0) + 1;
    nths.set(digest, nth);
    const kind = (faulty ? pick(createRandom(seedOf(seed, `${digest} ${nth}`))(), nth) : null) ?? noFault;
    const { headers, notBefore } = retryAfter(kind);
    const call: FaultCall = {
      time: Date.now(),
      path,
      body_sha256: digest,
      idempotency_key: request.headers["idempotency-key"] ?? null,
      status: kind.status,
      kind,
      notBefore,
      doubtful: false,
      connection: request.connection,
    };
    calls.push(call);
    watch(socket, call);
    const settings = { seed: 0, models: null, dimensions: 256 };
    const { body } = simulateAnswer(path, { text: request.body.toString(), digest, settings });
    return { mode: kind.mode, headers, good: Buffer.from(body) };
  }

  /** Whoever gives up a call breaks its connection; an answer may have come too late then. */
  function watch(socket: Socket, call: FaultCall): void {
    if (!last.has(socket)) {
      socket.once("close", () => {
        const latest = last.get(socket);
        if (latest !== undefined) latest.doubtful = true;
        last.delete(socket);
      });
    }
    last.set(socket, call);
  }

  const server = await startFaultServer({ script });
  return {
    url: server.url("ok"),
    calls: () => calls,
    stopFaults() {
      faulty = false;
    },
    async refuse(ms) {
      server.refuse();
      server.resetAll();
      await sleep(ms);
      await server.listen();
    },
    stop: () => server.close(),
  };
}

function retryAfter({ retryAfter: wish }: FaultKind): {
  headers: Record<string, string>;
  notBefore: number | null;
} {
  if (wish === null) return { headers: {}, notBefore: null };
  const at = Date.now() + wish.seconds * 1_000;
  if (wish.as === "seconds") return { headers: { "retry-after": String(wish.seconds) }, notBefore: at };
  const date = Math.ceil(at / 1_000) * 1_000;
  return { headers: { "retry-after": new Date(date).toUTCString() }, notBefore: date };
}
