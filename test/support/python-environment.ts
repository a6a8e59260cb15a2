import { execFile } from "node:child_process";
import { hash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

const cache = fileURLToPath(new URL("../../node_modules/.cache/", import.meta.url));

/**
 * Makes a virtual environment with some packages, or takes the one that an earlier run made.
 *
 * @param name by which it is kept
 * @param requirements path of the file that pins the packages
 * @returns the directory of its programs
 */
export async function pythonEnvironment(name: string, requirements: string): Promise<string> {
  const directory = join(cache, name);
  const bin = join(directory, "bin");
  const wanted = hash("sha256", await readFile(requirements));
  const stamp = join(directory, "requirements.sha256");
  if ((await readFile(stamp, "utf8").catch(() => "")) === wanted) return bin;
  await rm(directory, { recursive: true, force: true });
  await run("python3", ["-m", "venv", directory]);
  const flags = ["--quiet", "--disable-pip-version-check", "-r", requirements];
  await run(join(bin, "python"), ["-m", "pip", "install", ...flags]);
  await writeFile(stamp, wanted);
  return bin;
}
