import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { storageEnvironment } from "./storage.ts";

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CliProcess {
  child: ChildProcess;
  /** What it has printed so far. */
  output(): { stdout: string; stderr: string };
  /** Resolves when stdout and stderr together hold a match. Rejects when the process ends before. */
  printed(pattern: RegExp): Promise<void>;
  ended: Promise<CliResult>;
}

export interface CliOptions {
  cwd: string;
  env?: Record<string, string>;
  stdin?: string;
  /** Makes it the leader of a process group of its own, which `killGroup` ends as a whole. Default false. */
  group?: boolean;
}

const root = join(import.meta.dirname, "../..");
const bin = join(root, "bin/nerif.js");
/** Homes of tests are new each time; without it every process would compile everything. */
const compiled = join(root, "node_modules/.cache/nerif");

/**
 * Starts `nerif` as a user would, in a process of its own that sees nothing of this one's environment. A checkout's
 * command runs from its sources; TEST_COMMAND names the script of another, such as the package's.
 */
export function startCli(
  args: readonly string[],
  { cwd, env = {}, stdin, group = false }: CliOptions,
): CliProcess {
  const child = spawn(process.execPath, [process.env.TEST_COMMAND ?? bin, ...args], {
    cwd,
    detached: group,
    env: {
      ...{ PATH: process.env.PATH ?? "", HOME: cwd, NODE_COMPILE_CACHE: compiled },
      ...{ NERIF_DATA_DIR: join(cwd, "data"), ...sharedStorage(args, { cwd, env }), ...env },
    },
    stdio: [stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.stdin?.on("error", () => {});
  child.stdin?.end(stdin);
  let stdout = "";
  let stderr = "";
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    tell();
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    tell();
  });
  const ended = once(child, "close").then(
    ([code, signal]) => ({ code, signal, stdout, stderr }) as CliResult,
  );
  ended.then(tell);
  return {
    child,
    output: () => ({ stdout, stderr }),
    ended,
    printed(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          if (pattern.test(stdout + stderr)) resolve();
          else if (child.exitCode !== null || child.signalCode !== null) {
            reject(new Error(`nerif ended without printing ${pattern}:\n${stdout}${stderr}`));
          } else return;
          listeners.delete(look);
        };
        listeners.add(look);
        look();
      });
    },
  };
}

/** For the commands that work on a database as well. */
function sharedStorage(
  [command = "", ...args]: readonly string[],
  { cwd, env = {} }: CliOptions,
): Record<string, string> {
  if (!["serve", "worker", "keys"].includes(command)) return {};
  const at = args.indexOf("--data-dir");
  const named = at === -1 ? env.NERIF_DATA_DIR : args[at + 1];
  return storageEnvironment(resolve(cwd, named ?? "data"));
}

/** Runs `nerif` to its end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).ended;
}

/** `kill -9` of a process that was started with `group`, and of all that it started. */
export async function killGroup({ child, ended }: CliProcess): Promise<CliResult> {
  // Without a pid it never started, and the group of -0 would be our own.
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    process.kill(-child.pid, "SIGKILL");
  }
  return ended;
}
