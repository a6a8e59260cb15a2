import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startCli } from "../support/cli-process.ts";
import { checkFaults } from "./oracle/check-faults.ts";
import { type FaultKind, faultKinds } from "./oracle/fault-kinds.ts";
import { type FaultWitness, startFaultWitness } from "./oracle/fault-witness.ts";
import { watchPeak } from "./oracle/peak-memory.ts";
import { knownFile } from "./oracle/requests.ts";
import type { Part, Round } from "./part.ts";

/** Of every process under test here. */
export const faultRules = { maxAttempts: 5, timeoutMs: 3_000 };
export const faultArgs = ["--max-attempts", "5", "--request-timeout", "3s"];
/** With the faults gone everything ends after so long (I9): the longest waits are 30 s, and 15 s for a probe. */
export const endMs = 60_000;

const lines = 200;
/** All calls fail for so long, so that it is an outage; then some do, until the faults are over. */
const outageMs = 2_000;
const faultyMs = 10_000;
const share = 0.3;
/** By how much a failing upstream may raise the memory, in MiB, unless what it sends is big. */
const mostExtra = 64;

/** One part per way to fail: `nerif run` against a model server that fails in this way alone. */
export function faultModeParts(): Part[] {
  let usual: Promise<number | null> | undefined;
  const kinds = Object.entries(faultKinds);
  return [...kinds.map(([name, kind]) => part(name, kind)), part("refused", null)];

  function part(name: string, kind: FaultKind | null): Part {
    const id = name.replaceAll(/[ _]/g, "-");
    return {
      name: `fault-${/^\d/.test(id) ? `status-${id}` : id}`,
      title: `nerif run of ${lines} lines; the upstream fails by "${name}": always for 2 s, 3 of 10 calls for 10 s, then no more`,
      rounds: 1,
      unavailable: () => null,
      async open({ directory, seed }) {
        usual ??= peakWithoutFaults(directory);
        const without = await usual;
        return {
          round: (index) =>
            round({ directory: join(directory, `round-${index}`), kind, without, seed: seed + index }),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        };
      },
    };
  }
}

async function peakWithoutFaults(directory: string): Promise<number | null> {
  const witness = await startFaultWitness(() => null, { seed: 0 });
  const run = await runFile({ directory: join(directory, "usual"), witness, lines, seed: 0 });
  await witness.stop();
  return run.peak;
}

async function round(options: {
  directory: string;
  kind: FaultKind | null;
  without: number | null;
  seed: number;
}): Promise<Round> {
  const { directory, kind, without, seed } = options;
  let begun: number | null = null;
  const witness = await startFaultWitness(
    (random) => {
      begun ??= performance.now();
      const isOutage = performance.now() - begun < outageMs;
      return isOutage || random < share ? kind : null;
    },
    { seed },
  );
  let isOver = false;
  const goesOn = () => !isOver;
  const faults = kind === null ? refuseTwice(witness, goesOn) : stopFaultsLater(witness, goesOn);
  const { counts, violations, peak, endedAt } = await runFile({ directory, witness, lines, seed });
  isOver = true;
  const { stoppedAt } = await faults;
  await witness.stop();
  const extra = peak === null || without === null ? [] : [peak - without];
  if (kind?.isBig !== true && extra.some((mib) => mib > mostExtra))
    violations.push(`P6 memory rose by ${extra} MiB`);
  if (violations.length === 0) rmSync(directory, { recursive: true, force: true });
  return {
    counts,
    samples: {
      "peak memory over a run without faults, MiB": extra,
      "end after the last fault, ms": [Math.max(0, endedAt - stoppedAt)],
    },
    violations,
  };
}

/** @param goesOn false: the run has ended, and nothing more will come */
async function stopFaultsLater(witness: FaultWitness, goesOn: () => boolean): Promise<{ stoppedAt: number }> {
  while (goesOn() && witness.calls().length === 0) await sleep(20);
  for (const until = Date.now() + faultyMs; goesOn() && Date.now() < until; ) await sleep(20);
  witness.stopFaults();
  return { stoppedAt: Date.now() };
}

/** From the beginning, and once in the middle. */
async function refuseTwice(witness: FaultWitness, goesOn: () => boolean): Promise<{ stoppedAt: number }> {
  await witness.refuse(3_000);
  while (goesOn() && witness.calls().length < lines / 2) await sleep(1);
  await witness.refuse(3_000);
  return { stoppedAt: Date.now() };
}

export interface FaultyRun {
  counts: Record<string, number>;
  violations: string[];
  /** MiB. */
  peak: number | null;
  endedAt: number;
}

/** `nerif run` of a new file to its end. */
export async function runFile(options: {
  directory: string;
  witness: FaultWitness;
  lines: number;
  seed: number;
  concurrency?: number;
}): Promise<FaultyRun> {
  const { directory, witness, lines: count, seed, concurrency = 16 } = options;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const { requests, text } = knownFile(`faults-${seed}`, count);
  writeFileSync(join(directory, "in.jsonl"), text);
  const run = startCli(["run", "in.jsonl", "--concurrency", String(concurrency), ...faultArgs], {
    cwd: directory,
    env: { NERIF_UPSTREAM: witness.url },
    group: true,
  });
  const peak = watchPeak(run.child.pid);
  // Nobody can tell yet when the faults end: long enough for all of them.
  const timer = setTimeout(() => run.child.kill("SIGKILL"), faultyMs + endMs + count * 6);
  const { code, stderr } = await run.ended;
  clearTimeout(timer);
  const endedAt = Date.now();
  const read = (name: string) => {
    const path = join(directory, name);
    return existsSync(path) ? readFileSync(path, "utf8") : null;
  };
  const results = { output: read("in.output.jsonl"), errors: read("in.errors.jsonl") };
  const calls = witness.calls();
  const checked = checkFaults(requests, results, { calls, rules: faultRules });
  const { completed, failed } = checked.counts;
  if (code !== (failed > 0 ? 3 : 0)) checked.violations.push(`I9 it ended with ${code}`);
  if (checked.violations.length > 0) checked.violations.push(`it said: ${stderr.slice(-2_000)}`);
  return {
    counts: { lines: count, calls: calls.length, completed, failed },
    violations: firstOf(checked.violations),
    peak: peak(),
    endedAt,
  };
}

/** One mistake can show in each of a hundred thousand lines. */
export function firstOf(violations: readonly string[]): string[] {
  const more = violations.length - 50;
  return more <= 0 ? [...violations] : [...violations.slice(-50), `and ${more} more`];
}
