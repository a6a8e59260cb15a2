import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createSdk, type Driver, SdkError } from "./sdk.ts";

const script = fileURLToPath(new URL("driver.py", import.meta.url));

type Reply =
  | { version: string }
  | { id: number; ok: true; value: unknown }
  | { id: number; ok?: false; error: ConstructorParameters<typeof SdkError>[0] };

/**
 * The Python SDK, in a process that speaks JSON lines.
 *
 * @param python interpreter of an environment that has `openai`
 */
export async function createPythonDriver(python: string): Promise<Driver> {
  const child = spawn(python, ["-u", script], { stdio: ["pipe", "pipe", "pipe"] });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<string>();
  let calls = 0;
  onLines(child, {
    line(reply) {
      if ("version" in reply) return ready.resolve(reply.version);
      const call = waiting.get(reply.id);
      waiting.delete(reply.id);
      if ("error" in reply) call?.reject(new SdkError(reply.error));
      else call?.resolve(reply.value);
    },
    end(reason) {
      ready.reject(reason);
      for (const call of waiting.values()) call.reject(reason);
    },
  });
  const version = await ready.promise;
  return {
    language: "python",
    version: `openai ${version}`,
    has: () => true,
    open: (client) =>
      createSdk((method, args) => {
        calls += 1;
        const call = Promise.withResolvers<unknown>();
        waiting.set(calls, call);
        child.stdin.write(`${JSON.stringify({ id: calls, client, method, args })}\n`);
        return call.promise;
      }),
    async close() {
      child.kill("SIGKILL");
    },
  };
}

function onLines(
  child: ChildProcessWithoutNullStreams,
  { line, end }: { line: (reply: Reply) => void; end: (reason: Error) => void },
): void {
  const errors: string[] = [];
  child.stderr.on("data", (chunk) => errors.push(String(chunk)));
  createInterface({ input: child.stdout }).on("line", (text) => line(JSON.parse(text) as Reply));
  child.on("close", (code) => end(new Error(`The Python driver ended with ${code}: ${errors.join("")}`)));
  child.on("error", end);
}
