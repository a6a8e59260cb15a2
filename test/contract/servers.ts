import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createSimulator,
  type Simulator,
  type SimulatorOptions,
} from "../../src/upstreams/simulator/simulator.ts";
import { startServeProcess } from "../support/http-process.ts";
import { type Exchange, openTap, type Tap } from "./tap.ts";

/** The servers that rows ask for by name: `nerif serve` with these arguments before such a model server. */
const kinds = {
  /** As it comes, with receivers of webhooks on this machine. */
  usual: { args: ["--webhook-allow", "127.0.0.1"], simulation: { models: ["simulated"] } },
  /** For rows that count deliveries: nothing else goes on there. */
  hooked: { args: ["--webhook-allow", "127.0.0.1"], simulation: {} },
  /** Its model server never answers; batches may be ended soon. */
  hanging: {
    args: ["--completion-windows", "1s..7d", "--cancel-grace", "0s", "--webhook-allow", "127.0.0.1"],
    simulation: { hangRate: 1 },
  },
  /** Its model server answers, but only after a while; batches may be ended soon. */
  slow: {
    args: ["--completion-windows", "1s..7d", "--concurrency", "4", "--cancel-grace", "10s"],
    simulation: { latency: { kind: "fixed", ms: 200 } },
  },
  /** Its model server always fails with 500. */
  failing: { args: ["--max-attempts", "1"], simulation: { errorRate: 1 } },
  /** The same, and lines are tried again and again. */
  patient: { args: ["--max-attempts", "1000"], simulation: { errorRate: 1 } },
  /** Its model server fails now and then. */
  flaky: { args: ["--max-attempts", "20"], simulation: { errorRate: 0.2, resetRate: 0.1 } },
  /** Its model server always throttles. */
  throttled: { args: [], simulation: { throttleRate: 1, retryAfterMs: 20 } },
  /** Its model server is for models of one name only. */
  pooled: { args: [], simulation: {}, models: ["simulated"] },
  /** With OpenAI's own limits. */
  strict: { args: ["--strict"], simulation: {} },
} as const satisfies Record<string, Kind>;

interface Kind {
  args: readonly string[];
  simulation: SimulatorOptions;
  /** Models that the server is told its model server has. Default: whatever a line names. */
  models?: readonly string[];
}

export type ServerKind = keyof typeof kinds;

/** A running server process and the tap that all requests go through. */
export interface ContractServer {
  /** Of the tap, without `/v1`. */
  url: string;
  /** Of the server itself. */
  directUrl: string;
  tap: Tap;
  /** Its model server. */
  upstream: Pick<Simulator, "served">;
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
    const { args, simulation, models }: Kind = kinds[kind];
    const atEnd = (end: () => Promise<unknown>) => void ends.push(end);
    const upstream = createSimulator(simulation);
    atEnd(() => upstream.close());
    const { url } = await upstream.listen();
    const named = models === undefined ? {} : { config: await configFile({ url, models }, atEnd) };
    const server = await startServeProcess({ upstream: url, args: [...args], atEnd, ...named });
    const tap = await openTap(server.url, seen);
    atEnd(() => tap.close());
    return { url: tap.url, directUrl: server.url, tap, upstream };
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

async function configFile(
  upstream: { url: string; models: readonly string[] },
  atEnd: (end: () => Promise<unknown>) => void,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "nerif-contract-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "nerif.config.json");
  await writeFile(path, JSON.stringify({ upstreams: [{ name: "simulator", ...upstream }] }));
  return path;
}
