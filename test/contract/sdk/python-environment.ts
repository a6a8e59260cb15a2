import { execFile } from "node:child_process";
import { hash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

const requirements = fileURLToPath(new URL("../requirements.txt", import.meta.url));
const directory = fileURLToPath(new URL("../../../node_modules/.cache/nerif-python/", import.meta.url));

/**
 * Makes a virtual environment with the Python SDK, or takes the one that an earlier run made.
 *
 * @returns its interpreter
 */
export async function pythonEnvironment(): Promise<string> {
  const python = join(directory, "bin", "python");
  const wanted = hash("sha256", await readFile(requirements));
  const stamp = join(directory, "requirements.sha256");
  if ((await readFile(stamp, "utf8").catch(() => "")) === wanted) return python;
  await rm(directory, { recursive: true, force: true });
  await run("python3", ["-m", "venv", directory]);
  await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  await writeFile(stamp, wanted);
  return python;
}
