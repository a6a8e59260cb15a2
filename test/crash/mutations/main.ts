import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { provenance } from "../results.ts";
import { type Mutation, mutations } from "./list.ts";
import { type MutationResult, readMutationResults, writeMutationResults } from "./results.ts";

/*
 * Checks the harness itself: breaks one promise at a time in a copy of the sources, and wants the part that watches
 * over it to go red; unchanged it has to be green. Arguments: beginnings of the names of mutations; default all.
 * `npm run test:crash -- --report` takes what came of it into the page.
 */

const root = join(import.meta.dirname, "../../..");
const wanted = process.argv.slice(2);
const path = join(root, "docs/reliability-mutations.json");
const sound = new Map<string, boolean>();
const results = new Map(readMutationResults(path).map((result) => [result.name, result]));
let missed = 0;

for (const mutation of mutations) {
  if (wanted.length > 0 && !wanted.some((start) => mutation.name.startsWith(start))) continue;
  const watch = JSON.stringify(mutation.noticedBy);
  if (!sound.has(watch)) sound.set(watch, look(mutation, null).isGreen);
  const { isGreen, says } = look(mutation, mutation);
  const isCaught = sound.get(watch) === true && !isGreen;
  if (!isCaught) missed += 1;
  const { commit } = provenance();
  results.set(mutation.name, { name: mutation.name, watchedBy: nameOf(mutation), isCaught, says, commit });
  console.log(`${mutation.name}: ${isCaught ? "caught" : "MISSED"} by ${nameOf(mutation)}: ${says}`);
  const known = mutations.map(({ name }) => results.get(name));
  writeMutationResults(
    path,
    known.filter((result): result is MutationResult => result !== undefined),
  );
}
process.exitCode = missed === 0 ? 0 : 1;

/** Runs what watches over a promise, on a copy of everything, changed or not. */
function look({ noticedBy }: Mutation, mutation: Mutation | null): { isGreen: boolean; says: string } {
  const copy = mkdtempSync(join(tmpdir(), "nerif-mutation-"));
  try {
    for (const name of [
      "src",
      "bin",
      "test",
      "scripts",
      "package.json",
      "tsconfig.json",
      "vitest.config.ts",
    ]) {
      cpSync(join(root, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    if (mutation !== null) apply(copy, mutation);
    const command =
      "part" in noticedBy
        ? ["test/crash/main.ts", ...noticedBy.part, "--out", join(copy, "out")]
        : [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", "quick", noticedBy.test];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: copy, encoding: "utf8" });
    return { isGreen: status === 0, says: status === 0 ? "" : reasonIn(`${stdout}\n${stderr}`) };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function apply(copy: string, { name, file, replace }: Mutation): void {
  const path = join(copy, file);
  let text = readFileSync(path, "utf8");
  for (const [search, by] of replace) {
    if (text.split(search).length !== 2) {
      throw new Error(
        `"${name}" does not fit any more: ${file} has ${JSON.stringify(search)} not exactly once`,
      );
    }
    text = text.replace(search, () => by);
  }
  writeFileSync(path, text);
}

function nameOf({ noticedBy }: Mutation): string {
  return "part" in noticedBy ? (noticedBy.part[1] ?? "") : noticedBy.test;
}

/** The first broken promise, or the first error. */
function reasonIn(output: string): string {
  const lines = output.split("\n").map((line) => stripVTControlCharacters(line).trim());
  const line =
    lines.find((text) => /: (call \d+ |.*\bI\d )/.test(text)) ?? lines.find((text) => /Error/.test(text));
  return (line ?? lines.at(-1) ?? "").slice(0, 160);
}
