import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createSimulator,
  type Simulator,
  type SimulatorOptions,
} from "../../src/upstreams/simulator/simulator.ts";
import { type CliOptions, type CliProcess, type CliResult, startCli } from "./cli-process.ts";

/** A directory of its own with a simulated upstream, for tests that run the command. */
export interface CliWorkspace extends AsyncDisposable {
  directory: string;
  simulator: Simulator;
  /** Base URL of the simulator. */
  url: string;
  path(name: string): string;
  write(name: string, content: string | Uint8Array): void;
  read(name: string): string;
  has(name: string): boolean;
  /** Parsed lines of a JSONL file. */
  lines(name: string): ResultLine[];
  /** Hexadecimal sums of the bodies that the simulator got, in order, repeats included. */
  sent(): string[];
  start(args: readonly string[], options?: Partial<CliOptions>): CliProcess;
  run(args: readonly string[], options?: Partial<CliOptions>): Promise<CliResult>;
}

export interface ResultLine {
  custom_id: string;
  response: { status_code: number; body: unknown } | null;
  error: { code: string } | null;
}

export async function createCliWorkspace(options: SimulatorOptions = {}): Promise<CliWorkspace> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "nerif-cli-")));
  const path = (name: string) => join(directory, name);
  const log = path("requests.log");
  const simulator = createSimulator({ ...options, log });
  const { url } = await simulator.listen();
  const processes: CliProcess[] = [];
  const start = (args: readonly string[], given: Partial<CliOptions> = {}) => {
    const env = { NERIF_UPSTREAM: url, ...given.env };
    const started = startCli(args, { cwd: directory, ...given, env });
    processes.push(started);
    return started;
  };
  const read = (name: string) => readFileSync(path(name), "utf8");
  const lines = (name: string) => parseLines(read(name));
  return {
    directory,
    simulator,
    url,
    path,
    read,
    lines,
    start,
    write: (name, content) => writeFileSync(path(name), content),
    has: (name) => existsSync(path(name)),
    sent: () =>
      lines("requests.log").flatMap(({ path, body_sha256 }) => (path === "/v1/models" ? [] : [body_sha256])),
    run: (args, given) => start(args, given).ended,
    async [Symbol.asyncDispose]() {
      for (const { child } of processes) child.kill("SIGKILL");
      await Promise.all(processes.map(({ ended }) => ended));
      await simulator.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function parseLines(text: string) {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line));
}

/** A JSONL file of `count` requests; `id` names a request, and its body says the same. */
export function requestFile(
  count: number,
  change: (request: Request, index: number) => object = (request) => request,
): string {
  const lines = Array.from({ length: count }, (_, index) =>
    JSON.stringify(change(requestOf(`r${index}`), index)),
  );
  return lines.map((line) => `${line}\n`).join("");
}

export interface Request {
  custom_id: string;
  method: string;
  url: string;
  body: { model: string; messages: { role: string; content: string }[] } & Record<string, unknown>;
}

export function requestOf(id: string): Request {
  const messages = [{ role: "user", content: `Say ${id}` }];
  return {
    custom_id: id,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "m", messages, user: id },
  };
}
