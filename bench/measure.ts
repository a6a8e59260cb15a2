import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { arch, cpus, platform, totalmem } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const here = import.meta.dirname;

/** Builds what would be published into `scratch` and returns the path of its command: users do not run from sources. */
export function buildCommand(scratch: string): string {
  const root = join(here, "..");
  const target = join(scratch, "package");
  const compiler = join(root, "node_modules/.bin/tsc");
  execFileSync(compiler, ["-p", join(root, "tsconfig.build.json"), "--outDir", join(target, "dist")]);
  for (const part of ["bin", "package.json"])
    cpSync(join(root, part), join(target, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(target, "node_modules"), "dir");
  return join(target, "bin/nerif.js");
}

export interface Usage {
  /** User and system time of the whole process, all threads. */
  cpuSeconds: number;
  /** Largest resident set. */
  peakBytes: number;
  /** Wall time. */
  seconds: number;
}

/** Runs a program of this repository to its end and says what it used. `scratch` is an existing directory. */
export async function measure(args: string[], options: { scratch: string }): Promise<Usage> {
  const report = join(options.scratch, "usage.json");
  const begin = performance.now();
  const child = spawn(process.execPath, ["--import", join(here, "report-usage.ts"), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, BENCH_USAGE: report },
  });
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint = (complaint + chunk).slice(-2000);
  });
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`${args.join(" ")} ended with status ${status}: ${complaint}`);
  const seconds = (performance.now() - begin) / 1000;
  return { ...(JSON.parse(readFileSync(report, "utf8")) as Omit<Usage, "seconds">), seconds };
}

/** Starts the upstream of all measurements; it ends with this process or when `stop` is called. */
export async function startUpstream(): Promise<{ url: string; stop: () => void }> {
  const child: ChildProcess = spawn(process.execPath, [join(here, "upstream.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (child.stdout === null) throw new Error("The upstream has no output");
  const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { url, stop: () => child.stdin?.end() };
}

/** Keeps a result under `bench/results/`, with the machine, the versions and the commit that it is true for. */
export function save(name: string, result: Record<string, unknown>): void {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: here, encoding: "utf8" }).trim();
  const context = {
    date: new Date().toISOString().slice(0, 10),
    commit:
      git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--", "../src") ? "+changes" : ""),
    node: process.version,
    machine: {
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${platform()} ${arch()}`,
    },
  };
  mkdirSync(join(here, "results"), { recursive: true });
  const file = join(here, "results", `${name}.json`);
  writeFileSync(file, `${JSON.stringify({ ...context, ...result }, null, 2)}\n`);
  console.log(`\nKept in bench/results/${name}.json.`);
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}
