import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { freePort } from "../test/support/free-port.ts";
import { type Example, examplesOf } from "./examples-of.ts";

const root = join(import.meta.dirname, "..");

/** Longest that one example, or the start of a server, may take, in milliseconds. */
const patience = 30_000;

/**
 * Runs the examples of a page one after another in a directory of their own, as a reader would who copies them: with
 * `nerif` on the path, a simulator where the page says `http://localhost:8000/v1`, and a home directory that is empty.
 * Throws at the first that fails, with its line and what it printed. Returns how many ran.
 */
export async function runExamples(page: string): Promise<number> {
  const examples = examplesOf(readFileSync(page, "utf8"));
  if (examples.every((example) => example.kind === "not run")) return 0;
  const place = await preparePlace();
  const started: ChildProcess[] = [];
  try {
    started.push(start(`nerif simulate --port ${place.simulatorPort}`, place));
    await listening(place.simulatorPort, started[0]);
    let ran = 0;
    for (const example of examples) ran += await runExample(example, place, started);
    return ran;
  } catch (reason) {
    throw new Error(`${page}: ${reason instanceof Error ? reason.message : reason}`);
  } finally {
    for (const child of started) await stop(child);
    rmSync(place.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

interface Place {
  directory: string;
  env: NodeJS.ProcessEnv;
  simulatorPort: number;
  serverPort: number;
}

async function preparePlace(): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), "nerif-examples-"));
  const simulatorPort = await freePort();
  const serverPort = await freePort();
  const bin = join(directory, ".bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "nerif"), `#!/bin/sh\nexec "${process.execPath}" "${root}/bin/nerif.js" "$@"\n`, {
    mode: 0o755,
  });
  symlinkSync(process.execPath, join(bin, "node"));
  installPackages(join(directory, "node_modules"));
  const home = join(directory, ".home");
  mkdirSync(home);
  const env = {
    PATH: `${bin}${delimiter}${process.env.PATH}`,
    HOME: home,
    NERIF_UPSTREAM: `http://localhost:${simulatorPort}/v1`,
    NERIF_PORT: String(serverPort),
    NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
  };
  return { directory, env, simulatorPort, serverPort };
}

/** `nerif` is this checkout's sources, everything else what it has installed. */
function installPackages(target: string): void {
  mkdirSync(join(target, "nerif"), { recursive: true });
  symlinkSync(join(root, "node_modules/openai"), join(target, "openai"), "dir");
  const doors = { ".": "./index.js", "./server": "./server.js", "./testing": "./testing.js" };
  writeFileSync(join(target, "nerif/package.json"), JSON.stringify({ type: "module", exports: doors }));
  for (const file of Object.values(doors)) {
    const source = pathToFileURL(join(root, "src", file.replace(".js", ".ts"))).href;
    writeFileSync(join(target, "nerif", file), `export * from ${JSON.stringify(source)};\n`);
  }
}

async function runExample(example: Example, place: Place, started: ChildProcess[]): Promise<number> {
  const code = example.code
    .replaceAll("localhost:8000", `localhost:${place.simulatorPort}`)
    .replaceAll(/(localhost|127\.0\.0\.1):8787/g, `$1:${place.serverPort}`);
  if (example.kind === "not run") return 0;
  if (example.kind === "file") {
    writeFileSync(join(place.directory, example.name), code);
    return 0;
  }
  if (example.kind === "serve") {
    const child = start(code, place);
    started.push(child);
    await listening(place.serverPort, child);
    return 1;
  }
  const script = join(place.directory, `example-line-${example.line}.${example.language}`);
  writeFileSync(script, code);
  const command = example.language === "ts" ? `node "${script}"` : `sh -e "${script}"`;
  const output = await finish(start(command, place), example.line);
  if (example.prints !== null && !output.includes(example.prints)) {
    throw new Error(`the example of line ${example.line} does not print "${example.prints}" but:\n${output}`);
  }
  return 1;
}

/** In a process group of its own, so that `stop` reaches what the shell has started. */
function start(command: string, place: Place): ChildProcess {
  return spawn("sh", ["-c", command], {
    cwd: place.directory,
    env: place.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
}

async function finish(child: ChildProcess, line: number): Promise<string> {
  let output = "";
  const collect = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  const timer = globalThis.setTimeout(() => stop(child), patience);
  const [status] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  if (status !== 0) {
    const ending = status === null ? `did not end within ${patience} ms` : `ended with status ${status}`;
    throw new Error(`the example of line ${line} ${ending}:\n${output}`);
  }
  return output;
}

/** Asks until somebody answers on the port. */
async function listening(port: number, child: ChildProcess | undefined): Promise<void> {
  let output = "";
  child?.stderr?.on("data", (chunk) => {
    output += chunk;
  });
  child?.stdout?.resume();
  const deadline = performance.now() + patience;
  while (performance.now() < deadline && child?.exitCode === null) {
    const answered = await fetch(`http://localhost:${port}/`).catch(() => null);
    if (answered !== null) return;
    await setTimeout(50);
  }
  throw new Error(`nobody listens on the port of \`${child?.spawnargs.at(-1)}\`:\n${output}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const closed = once(child, "close");
  process.kill(-child.pid, "SIGKILL");
  await closed;
}

if (import.meta.main) {
  for (const page of process.argv.slice(2)) console.log(`${page}: ${await runExamples(page)} examples ran`);
}
