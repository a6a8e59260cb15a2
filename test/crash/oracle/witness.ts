import { readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { LoggedRequest } from "../../../src/upstreams/simulator/request-log.ts";
import { type CliProcess, startCli } from "../../support/cli-process.ts";
import { Disturbance } from "../part.ts";

/**
 * A model server in a process of its own, which outlives what is killed. It writes each call down before it answers
 * it, so an answer that anybody has is in the log.
 */
export interface Witness {
  /** Base URL. */
  url: string;
  /** What it was asked so far, calls for models left out. */
  calls(): LoggedRequest[];
  /** Empties the log. */
  forget(): void;
  /** Resolves when about so many more calls have come, or after `ms` milliseconds: moments that follow the work, however slow the machine is. */
  more(calls: number, ms: number): Promise<void>;
  stop(): Promise<void>;
}

/** A line of the log, about. */
const callBytes = 230;

export interface WitnessOptions {
  directory: string;
  /** As `nerif simulate` takes it. Default `20ms`. */
  latency?: string;
  /** Share of the calls that are answered with 500. Default 0. */
  errorRate?: number;
  seed?: number;
}

export async function startWitness(options: WitnessOptions): Promise<Witness> {
  const { directory, latency = "20ms", errorRate = 0, seed = 0 } = options;
  const log = join(directory, "witness.jsonl");
  // An earlier one may have seen the same bodies.
  rmSync(log, { force: true });
  const args = ["simulate", "--port", "0", "--json", "--log", log, "--latency", latency];
  args.push("--error-rate", String(errorRate), "--seed", String(seed));
  const started: CliProcess = startCli(args, { cwd: directory });
  await started.printed(/"event":"listening"/);
  const listening = started.output().stdout.split("\n", 1)[0] ?? "";
  const { url } = JSON.parse(listening) as { url: string };
  let isOver = false;
  let wasStopped = false;
  started.ended.then(() => {
    isOver = true;
  });
  return {
    url,
    calls() {
      if (isOver && !wasStopped) throw new Disturbance("The witness was ended from outside");
      return readCalls(log).filter(({ path }) => path !== "/v1/models");
    },
    forget: () => truncateSync(log),
    async more(calls, ms) {
      const until = performance.now() + ms;
      const bytes = sizeOf(log) + calls * callBytes;
      while (sizeOf(log) < bytes && performance.now() < until) await sleep(2);
    },
    async stop() {
      wasStopped = true;
      started.child.kill("SIGKILL");
      await started.ended;
    },
  };
}

function sizeOf(log: string): number {
  return statSync(log, { throwIfNoEntry: false })?.size ?? 0;
}

/** Whole lines only: the last one may be on its way. */
function readCalls(log: string): LoggedRequest[] {
  const text = readFileSync(log, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LoggedRequest);
}
