import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { commandSources } from "../../scripts/bundle.ts";
import type { Outcome } from "../row.ts";

/** One row as it was measured, with what it is true for. */
export interface Result extends Outcome {
  name: string;
  title: string;
  date: string;
  /** The commit of the sources, and whether there was more than in it. */
  commit: string;
  machine: string;
  upstream: string;
  /** How many processes wanted a core when it began: what else the machine had to do. */
  loadBefore: number;
  minutes: number;
}

const folder = join(import.meta.dirname, "../results");

export function saveResult(result: Result): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(pathOf(result.name), `${JSON.stringify(result, null, 2)}\n`);
}

export function readResult(name: string): Result | null {
  const path = pathOf(name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Result) : null;
}

export function surroundings(): Pick<Result, "date" | "commit" | "machine" | "loadBefore"> {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  const dirty = git("status", "--porcelain", "--", ...commandSources.map((name) => `:/${name}`)) !== "";
  const gib = Math.round(totalmem() / 2 ** 30);
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: `${git("rev-parse", "--short=12", "HEAD")}${dirty ? " with changes" : ""}`,
    machine: `${cpus()[0]?.model}, ${cpus().length} cores, ${gib} GiB, ${process.platform} ${process.arch}, Node ${process.versions.node}`,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

function pathOf(name: string): string {
  return join(folder, `${name}.json`);
}
