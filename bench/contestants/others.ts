import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { requestBody } from "../measure/input.ts";
import { measure, python, type Usage } from "../measure/measure.ts";
import type { Turn } from "../measure/turns.ts";
import type { Bench } from "../row.ts";
import { expectLines } from "./output.ts";

const here = import.meta.dirname;

export interface CallOptions {
  lines: number;
  inFlight: number;
  lineBytes: number;
  /** Default 0. */
  delayMs?: number;
}

/** The bare client: no input, no results. */
export function undiciLoop(bench: Bench, options: CallOptions): Promise<Usage> {
  const { lines, inFlight, lineBytes, delayMs = 0 } = options;
  const args = [bench.upstream.url(delayMs), String(lines), String(inFlight), String(lineBytes)];
  return measure([process.execPath, join(here, "undici-loop.ts"), ...args]);
}

export interface ScriptOptions {
  input: string;
  lines: number;
  inFlight: number;
}

export function openaiSdk(bench: Bench, options: ScriptOptions): Promise<Usage> {
  return script(bench, [process.execPath, join(here, "openai-sdk.ts")], options);
}

/** @param interpreter one that has aiohttp, from `pythonWithAiohttp` */
export function aiohttpScript(
  bench: Bench,
  { interpreter, ...options }: ScriptOptions & { interpreter: string },
): Promise<Usage> {
  return script(bench, [interpreter, join(here, "aiohttp_script.py")], options);
}

async function script(bench: Bench, command: string[], options: ScriptOptions): Promise<Usage> {
  const output = join(bench.scratch, "script.jsonl");
  const args = [options.input, bench.upstream.url(0), output, String(options.inFlight)];
  const used = await measure([...command, ...args]);
  await expectLines(output, options.lines);
  rmSync(output);
  return used;
}

export const howToGetAiohttp =
  "Python has no aiohttp: apt-get install python3-aiohttp, or install it into a venv and name its interpreter in BENCH_PYTHON";

/** An interpreter that has aiohttp, or null. */
export function pythonWithAiohttp(): string | null {
  const given = process.env.BENCH_PYTHON;
  const candidates = given === undefined ? [python(), "/usr/bin/python3"] : [given];
  return candidates.find((path) => succeeds(path, "-c", "import aiohttp")) ?? null;
}

export const howToGetWrk = "wrk is missing: apt-get install wrk";

export function hasWrk(): boolean {
  return (process.env.PATH ?? "").split(":").some((directory) => existsSync(join(directory, "wrk")));
}

/** The ceiling: a program in C that sends one request and counts answers. */
export async function wrk(bench: Bench, options: { inFlight: number; lineBytes: number }): Promise<Turn> {
  const url = `${bench.upstream.url(0)}/chat/completions`;
  const load = ["-t1", `-c${options.inFlight}`, "-d3s", "-s", join(here, "post.lua")];
  const used = await measure(["wrk", ...load, url, "--", requestBody(options.lineBytes)]);
  const requests = Number(/(\d+) requests in/.exec(used.stdout)?.[1]);
  const perSecond = Number(/Requests\/sec: +([\d.]+)/.exec(used.stdout)?.[1]);
  if (/Non-2xx/.test(used.stdout)) throw new Error(`wrk was refused: ${used.stdout}`);
  return {
    cpuMicrosecondsPerLine: (used.cpuSeconds / requests) * 1e6,
    linesPerSecond: perSecond,
    peakMiB: used.peakBytes / 2 ** 20,
  };
}

function succeeds(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    // Not there, or without what was asked for: the next one may do.
    return false;
  }
}
