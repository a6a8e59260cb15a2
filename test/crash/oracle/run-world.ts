import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LoggedRequest } from "../../../src/upstreams/simulator/request-log.ts";
import { type CliProcess, startCli } from "../../support/cli-process.ts";
import { Disturbance, isFromOutside } from "../part.ts";
import { byDigest, countRepeats } from "./check-calls.ts";
import { checkResults } from "./check-results.ts";
import { type KnownFile, knownFile } from "./requests.ts";
import type { Witness } from "./witness.ts";

/** One `nerif run` in a directory of its own, to be started as often as it takes. */
export interface RunWorld {
  directory: string;
  input: KnownFile;
  start(env?: Record<string, string>): CliProcess;
  /**
   * Starts it without faults until it says that all is done, and holds the results against the witness.
   * @param mayRepeat calls that may have been made in vain (I5)
   */
  finish(mayRepeat: number): Promise<{ repeats: number; violations: string[]; calls: LoggedRequest[] }>;
  remove(): void;
}

export interface RunWorldOptions {
  /** Made anew. */
  directory: string;
  witness: Witness;
  /** Unique among all that the witness sees. */
  name: string;
  lines: number;
  concurrency: number;
  /** By which the witness answers. Default 0. */
  seed?: number;
}

/** A run that has not ended after so long is one that never will (I9). */
const patienceMs = 60_000;

export function createRunWorld(options: RunWorldOptions): RunWorld {
  const { directory, witness, name, lines, concurrency, seed = 0 } = options;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const cwd = realpathSync(directory);
  const input = knownFile(name, lines);
  const known = new Set(input.requests.map(({ digest }) => digest));
  writeFileSync(join(cwd, "in.jsonl"), input.text);
  const read = (file: string) => {
    const path = join(cwd, file);
    return existsSync(path) ? readFileSync(path, "utf8") : null;
  };

  function start(env: Record<string, string> = {}): CliProcess {
    const args = ["run", "in.jsonl", "--concurrency", String(concurrency)];
    return startCli(args, { cwd, env: { NERIF_UPSTREAM: witness.url, ...env }, group: true });
  }

  return {
    directory: cwd,
    input,
    start,
    async finish(mayRepeat) {
      const last = start();
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        last.child.kill("SIGKILL");
      }, patienceMs);
      const { code, signal, stderr } = await last.ended;
      clearTimeout(timer);
      if (isFromOutside(signal) && !isLate) throw new Disturbance(`The last run was ended by ${signal}`);
      const violations: string[] = [];
      if (code !== 0) violations.push(`I9 the last run ended with ${code}: ${stderr.slice(-500)}`);
      const calls = witness.calls().filter(({ body_sha256 }) => known.has(body_sha256));
      const results = { output: read("in.output.jsonl"), errors: read("in.errors.jsonl") };
      const checked = checkResults(input.requests, results, { byDigest: byDigest(calls), seed });
      violations.push(...checked.violations);
      if (checked.counts.completed !== lines)
        violations.push(`I6 ${checked.counts.completed} of ${lines} succeeded`);
      const { repeats } = countRepeats(calls, known);
      if (repeats > mayRepeat) violations.push(`I5 ${repeats} calls repeated, ${mayRepeat} may be`);
      return { repeats, violations, calls };
    },
    remove: () => rmSync(cwd, { recursive: true, force: true }),
  };
}
