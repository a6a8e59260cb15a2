import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type MeasureOptions, measure, type Usage } from "../measure/measure.ts";
import type { Bench } from "../row.ts";
import { expectLines } from "./output.ts";

export interface NerifRunOptions extends MeasureOptions {
  input: string;
  lines: number;
  inFlight: number;
  /** Default 0. */
  delayMs?: number;
  /** Flags for node. Default: none. */
  node?: string[];
}

/** `nerif run` of a whole file, on a new data directory; its results are counted and removed. */
export async function nerifRun(bench: Bench, options: NerifRunOptions): Promise<Usage> {
  const { input, lines, inFlight, delayMs = 0, node = [], ...how } = options;
  const directory = join(bench.scratch, "run");
  mkdirSync(directory);
  const output = join(directory, "output.jsonl");
  const args = runArguments({ input, output, data: join(directory, "data"), inFlight });
  const command = [process.execPath, ...node, bench.nerif, ...args];
  const used = await measure([...command, "--upstream", bench.upstream.url(delayMs)], how);
  await expectLines(output, lines);
  rmSync(directory, { recursive: true });
  return used;
}

export function runArguments(run: {
  input: string;
  output: string;
  data: string;
  inFlight: number;
}): string[] {
  const { input, output, data, inFlight } = run;
  return ["run", input, "-o", output, "--data-dir", data, "--concurrency", String(inFlight)];
}
