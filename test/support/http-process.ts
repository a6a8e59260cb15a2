import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { storageEnvironment } from "./storage.ts";

const command = fileURLToPath(new URL("../../bin/nerif.js", import.meta.url));

export interface ServeProcess {
  child: ChildProcess;
  /** `http://127.0.0.1:12345` */
  url: string;
  dataDir: string;
  upstream: string;
  /** All that it has written to stderr. */
  stderr(): string;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts `nerif serve` as users do, and waits until it listens. */
export async function startServeProcess({
  upstream,
  dataDir,
  args = [],
  env = {},
  config,
  atEnd = onTestFinished,
}: {
  upstream: string;
  /** Default: a new one, which goes with the test. */
  dataDir?: string;
  args?: string[];
  env?: Record<string, string>;
  /** A configuration file that names the upstream, in place of the flag. */
  config?: string;
  /** Takes what stops the server. Default: it ends with the test. */
  atEnd?: (stop: () => Promise<void>) => void;
}): Promise<ServeProcess> {
  const directory = dataDir ?? (await mkdtemp(join(tmpdir(), "nerif-serve-")));
  const named = config === undefined ? ["--upstream", upstream] : ["--config", config];
  const child = spawn(
    process.execPath,
    [command, "serve", "--json", "--port", "0", ...named, "--data-dir", directory, ...args],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...cleanEnvironment(), ...storageEnvironment(directory), ...env },
    },
  );
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const errors: string[] = [];
  child.stderr.on("data", (chunk) => errors.push(String(chunk)));
  async function stop(signal: NodeJS.Signals = "SIGTERM") {
    child.kill(signal);
    const [code, by] = await ended;
    return { code, signal: by };
  }
  atEnd(async () => {
    await stop("SIGKILL");
    if (dataDir === undefined) await rm(directory, { recursive: true, force: true });
  });
  const url = await Promise.race([
    listeningUrl(child),
    ended.then(([code]) => Promise.reject(new Error(`serve ended with ${code}: ${errors.join("")}`))),
  ]);
  return { child, url, dataDir: directory, upstream, stderr: () => errors.join(""), stop };
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("The process has no stdout");
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, url } = JSON.parse(line) as { event: string; url: string };
    if (event === "listening") return url;
  }
  throw new Error("The process never listened");
}

/** What is set on the machine that runs the tests is none of the server's business. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(NERIF|OPENAI)_/.test(name));
  return Object.fromEntries(kept);
}
