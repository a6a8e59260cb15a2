import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Readable } from "node:stream";

export interface Usage {
  /** User and system time of the whole process, all threads and children, as the kernel has counted it at the end. */
  cpuSeconds: number;
  /** Largest resident set. */
  peakBytes: number;
  /** Wall time from its start to its end. */
  seconds: number;
  /** What it has printed. */
  stdout: string;
}

export interface MeasureOptions {
  /** How many cores it may use, on Linux only. Default: all. */
  cores?: number;
  /** Beside those of this process. */
  env?: Record<string, string>;
}

export interface Measured {
  /** A signal to stop is handed on to the command. */
  child: ChildProcess;
  stdout: Readable;
  /** Rejects when it does not end with status 0. */
  used: Promise<Usage>;
}

/** What is measured shall not outlive a measurement that was stopped. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill();
});

const wrapper = join(import.meta.dirname, "usage.py");

/** Starts a command whose use of the machine is counted. */
export function launch(command: readonly string[], { cores = 0, env = {} }: MeasureOptions = {}): Measured {
  const child = spawn(python(), [wrapper, String(cores), ...command], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...cleanEnvironment(), ...env },
  });
  running.add(child);
  child.once("close", () => running.delete(child));
  const [, stdout, stderr, report] = child.stdio;
  if (!stdout || !stderr || !(report instanceof Readable)) throw new Error("The wrapper has no pipes");
  return { child, stdout, used: use(child, { command, stdout, stderr, report }) };
}

/** Runs a command to its end. */
export function measure(command: readonly string[], options?: MeasureOptions): Promise<Usage> {
  return launch(command, options).used;
}

interface Pipes {
  command: readonly string[];
  stdout: Readable;
  stderr: Readable;
  report: Readable;
}

async function use(child: ChildProcess, { command, stdout, stderr, report }: Pipes): Promise<Usage> {
  const [printed, complaints, usage] = [stdout, stderr, report].map(textOf);
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) {
    throw new Error(`${command.join(" ")} ended with status ${status}: ${complaints?.().slice(-2_000)}`);
  }
  return { ...(JSON.parse(usage?.() ?? "") as Omit<Usage, "stdout">), stdout: printed?.() ?? "" };
}

function textOf(stream: Readable): () => string {
  let text = "";
  stream.setEncoding("utf8").on("data", (more: string) => {
    text += more;
  });
  return () => text;
}

let known: string | null = null;

/** The interpreter itself: what stands on the path may be a script that looks for it. */
export function python(): string {
  known ??= execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();
  return known;
}

/** What is set on the machine is none of the contestants' business. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(NERIF|OPENAI|NODE)_/.test(name));
  return Object.fromEntries(kept);
}
