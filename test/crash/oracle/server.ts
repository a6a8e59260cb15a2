import { appendFileSync } from "node:fs";
import { type CliProcess, killGroup, startCli } from "../../support/cli-process.ts";
import { Disturbance, isFromOutside } from "../part.ts";
import type { Ask } from "./calls.ts";

/** `nerif serve`, killed and started again at will. */
export interface Server {
  /** Base URL; that of the last one that listened while none does. */
  url(): string;
  /** Sends a request, with the key of `useKey` unless it brings its own. */
  ask: Ask;
  useKey(key: string): void;
  /** Resolves when it listens; false when it ended before. */
  start(env?: Record<string, string>): Promise<boolean>;
  kill(): Promise<void>;
  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
  /** Throws a Disturbance when one was ended by somebody else. */
  assertUndisturbed(): void;
  /** How one ended by itself after it had listened; null when none did. */
  died(): string | null;
  isRunning(): boolean;
  /** Of the last one that was started. */
  process(): CliProcess;
  /** When the last one was started, Unix time in milliseconds. */
  startedAt(): number;
}

export interface ServerOptions {
  directory: string;
  /** Base URL of the upstream. */
  upstream: string;
  concurrency: number;
  args?: readonly string[];
  /** Default: none. */
  env?: Record<string, string>;
  /** `worker`: one without HTTP, which cannot be asked. Default `serve`. */
  kind?: "serve" | "worker";
  /** A file that gets what each life has said on stderr, for those who look into a failed round. */
  log?: string;
}

const kinds = {
  serve: {
    command: ["serve", "--port", "0", "--completion-windows", "1s..7d"],
    ready: /"event":"listening".*\n/,
  },
  worker: { command: ["worker"], ready: /"event":"executing".*\n/ },
};

export function createServer(options: ServerOptions): Server {
  const { directory, upstream, concurrency, args = [], env: always = {}, kind = "serve", log } = options;
  const { ready } = kinds[kind];
  const command = [...kinds[kind].command, "--json", "--concurrency", String(concurrency)];
  command.push("--cancel-grace", "200ms", "--log-level", "warn", ...args);
  let url = "http://127.0.0.1:9";
  let key: string | null = null;
  let running: CliProcess | null = null;
  let startedAt = 0;
  let mayEnd = false;
  let endedBy: NodeJS.Signals | null = null;
  let died: string | null = null;

  function process(): CliProcess {
    if (running === null) throw new Error("The server was never started");
    return running;
  }

  return {
    url: () => url,
    ask(path, init = {}) {
      const headers = new Headers(init.headers);
      if (key !== null && !headers.has("authorization")) headers.set("authorization", `Bearer ${key}`);
      return fetch(`${url}${path}`, { ...init, headers });
    },
    useKey(given) {
      key = given;
    },
    process,
    startedAt: () => startedAt,
    died: () => died,
    isRunning: () => running !== null && running.child.exitCode === null && running.child.signalCode === null,
    async start(env = {}) {
      startedAt = Date.now();
      const started = startCli(command, {
        cwd: directory,
        env: { NERIF_UPSTREAM: upstream, ...always, ...env },
        group: true,
      });
      running = started;
      // One that meets a fault may well die of it.
      mayEnd = "NERIF_FAULT_ACTION" in env;
      let listened = false;
      started.ended.then(({ code, signal, stderr }) => {
        if (log !== undefined)
          appendFileSync(log, `${stderr}${new Date().toISOString()} ended: ${signal ?? code}\n`);
        if (mayEnd || running !== started) return;
        if (isFromOutside(signal)) endedBy = signal;
        else if (listened) died ??= `it ended with ${signal ?? code}: ${stderr.slice(-500)}`;
      });
      const listens = await started.printed(ready).then(
        () => true,
        () => false,
      );
      listened = listens;
      if (listens) url = /"url":"([^"]+)"/.exec(started.output().stdout)?.[1] ?? url;
      return listens;
    },
    assertUndisturbed() {
      if (endedBy !== null) throw new Disturbance(`The server was ended by ${endedBy}`);
    },
    async kill() {
      mayEnd = true;
      await killGroup(process());
    },
    async stop() {
      mayEnd = true;
      process().child.kill("SIGTERM");
      return (await process().ended).code;
    },
  };
}
