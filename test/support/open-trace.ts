import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

/** Notes every path that a process opens, makes, renames or removes, until it is stopped. Needs `strace`. */
export async function traceOpens(pid: number, file: string): Promise<{ stop(): Promise<string[]> }> {
  const calls =
    "trace=open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,symlink,symlinkat";
  const tracer = spawn(
    "strace",
    ["-f", "-s", "4096", "-e", calls, "-e", "signal=none", "-o", file, "-p", String(pid)],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  for await (const line of createInterface({ input: tracer.stderr })) {
    if (line.includes("attached")) break;
    if (/not permitted|No such process/.test(line)) throw new Error(line);
  }
  tracer.stderr.resume();
  return {
    async stop() {
      tracer.kill("SIGINT");
      await once(tracer, "exit");
      const text = await readFile(file, "utf8");
      return [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path = ""]) => path);
    },
  };
}
