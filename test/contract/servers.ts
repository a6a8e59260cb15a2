import { createSimulator, type SimulatorOptions } from "../../src/upstreams/simulator/simulator.ts";
import { startServeProcess } from "../support/http-process.ts";
import { type Exchange, openTap, type Tap } from "./tap.ts";

/** The servers that rows ask for by name: `nerif serve` with these arguments before such a model server. */
const kinds = {
  /** As it comes. */
  usual: { args: [], simulation: { models: ["simulated"] } },
  /** Its model server never answers; batches may be ended soon. */
  hanging: {
    args: ["--completion-windows", "1s..7d", "--cancel-grace", "0s"],
    simulation: { hangRate: 1 },
  },
  /** Its model server answers, but only after a while; batches may be ended soon. */
  slow: {
    args: ["--completion-windows", "1s..7d", "--concurrency", "4", "--cancel-grace", "10s"],
    simulation: { latency: { kind: "fixed", ms: 200 } },
  },
  /** Its model server always fails with 500. */
  failing: {
    args: ["--completion-windows", "1s..7d", "--max-attempts", "2"],
    simulation: { errorRate: 1 },
  },
  /** With OpenAI's own limits. */
  strict: { args: ["--strict"], simulation: {} },
} as const satisfies Record<string, { args: readonly string[]; simulation: SimulatorOptions }>;

export type ServerKind = keyof typeof kinds;

/** A running server process and the tap that all requests go through. */
export interface ContractServer {
  /** Of the tap, without `/v1`. */
  url: string;
  /** Of the server itself. */
  directUrl: string;
  tap: Tap;
}

export interface Servers {
  /** Starts it when it is asked for the first time. */
  get(kind: ServerKind): Promise<ContractServer>;
  close(): Promise<void>;
}

/** @param seen told every exchange with any of the servers */
export function createServers(seen: (exchange: Exchange) => void): Servers {
  const started = new Map<ServerKind, Promise<ContractServer>>();
  const ends: (() => Promise<unknown>)[] = [];

  async function start(kind: ServerKind): Promise<ContractServer> {
    const { args, simulation } = kinds[kind];
    const upstream = createSimulator(simulation as SimulatorOptions);
    ends.push(() => upstream.close());
    const { url } = await upstream.listen();
    const atEnd = (end: () => Promise<unknown>) => void ends.push(end);
    const server = await startServeProcess({ upstream: url, args: [...args], atEnd });
    const tap = await openTap(server.url, seen);
    ends.push(() => tap.close());
    return { url: tap.url, directUrl: server.url, tap };
  }

  return {
    get(kind) {
      const server = started.get(kind) ?? start(kind);
      started.set(kind, server);
      return server;
    },
    async close() {
      for (const end of ends.reverse()) await end();
    },
  };
}
