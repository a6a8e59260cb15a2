import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** Builds what would be published into `scratch` and returns the path of its command: users do not run from sources. */
export function buildCommand(scratch: string): string {
  const target = join(scratch, "package");
  mkdirSync(target);
  const compiler = join(root, "node_modules/.bin/tsc");
  execFileSync(compiler, ["-p", join(root, "tsconfig.build.json"), "--outDir", join(target, "dist")]);
  for (const part of ["bin", "package.json"])
    cpSync(join(root, part), join(target, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(target, "node_modules"), "dir");
  return join(target, "bin/nerif.js");
}
