import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ControlOperations } from "./control-child.ts";

/** The Node of `node_modules`: the system's own may be too old. */
const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
const child = fileURLToPath(new URL("./control-child.ts", import.meta.url));

export interface ControlProcess {
  readonly pid: number;
  call<Name extends keyof ControlOperations>(
    name: Name,
    ...args: Parameters<ControlOperations[Name]>
  ): Promise<Awaited<ReturnType<ControlOperations[Name]>>>;
  /** SIGKILL; resolves when the process is gone. Safe to call again. */
  kill(): Promise<void>;
}

/** Starts `control-child.ts`. @param fileLimitKiB the largest file that it may write */
export async function startControlProcess(options: { fileLimitKiB?: number } = {}): Promise<ControlProcess> {
  const limit = options.fileLimitKiB === undefined ? "" : `ulimit -f ${options.fileLimitKiB}; `;
  const running = spawn("bash", ["-c", `${limit}exec "$0" "$1"`, node, child], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const gone = once(running, "exit");
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  let calls = 0;

  createInterface({ input: running.stdout }).on("line", (line) => {
    const { number, result, error } = JSON.parse(line);
    const call = waiting.get(number);
    waiting.delete(number);
    if (error === undefined) call?.resolve(result);
    else call?.reject(Object.assign(new Error(error.message), error));
  });
  running.on("exit", () => {
    for (const { reject } of waiting.values()) reject(new Error("the process has ended"));
  });

  function call(name: string, ...args: unknown[]): Promise<unknown> {
    const number = calls++;
    return new Promise((resolve, reject) => {
      waiting.set(number, { resolve, reject });
      running.stdin.write(`${JSON.stringify([number, name, ...args])}\n`);
    });
  }

  const pid = (await call("pid")) as number;
  return {
    pid,
    call: call as ControlProcess["call"],
    async kill() {
      running.kill("SIGKILL");
      await gone;
    },
  };
}
