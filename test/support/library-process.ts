import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A Node process that runs TypeScript with this repository's sources as `nerif`. */
export interface LibraryProcess extends AsyncDisposable {
  pid: number;
  /** The next line of its output that starts with `word`, without the word. Fails when the process ends before. */
  said(word: string): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const sources = new URL("library-sources.ts", import.meta.url).href;

/** Runs a module given as text, or a file with arguments. */
export function startNode(
  code: string | { file: string; args: readonly string[] },
  env: NodeJS.ProcessEnv,
): LibraryProcess {
  const what =
    typeof code === "string" ? ["--input-type=module-typescript", "--eval", code] : [code.file, ...code.args];
  const child = spawn(process.execPath, ["--import", sources, ...what], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = collect(child);
  const ended = once(child, "close").then(([status, signal]) => status ?? signal);
  return {
    pid: child.pid ?? -1,
    said: output.said,
    kill: (signal) => child.kill(signal),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function collect(child: ChildProcess): { said(word: string): Promise<string> } {
  const lines: string[] = [];
  const errors: string[] = [];
  const news = new EventTarget();
  let isOver = false;
  const tell = () => news.dispatchEvent(new Event("news"));
  for (const [stream, target] of [
    [child.stdout, lines],
    [child.stderr, errors],
  ] as const) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      target.push(line);
      tell();
    });
  }
  child.on("close", () => {
    isOver = true;
    tell();
  });
  return {
    async said(word) {
      for (;;) {
        const at = lines.findIndex((line) => line.startsWith(word));
        if (at !== -1)
          return (
            lines
              .splice(0, at + 1)
              .at(-1)
              ?.slice(word.length)
              .trim() ?? ""
          );
        if (isOver) throw new Error(`the process ended without saying "${word}":\n${errors.join("\n")}`);
        await new Promise((resolve) => news.addEventListener("news", resolve, { once: true }));
      }
    },
  };
}
