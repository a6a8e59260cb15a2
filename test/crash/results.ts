import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { commandSources } from "../../scripts/bundle.ts";
import type { Round } from "./part.ts";

/** What one part has shown so far. */
export interface PartResult {
  title: string;
  seed: number;
  /** The commit of the sources, and whether there was more than in it. */
  commit: string;
  /** The tree of `src`, by which results are known to be about the same sources. */
  sources: string;
  rounds: number;
  /** Every round that there is was run, or as many as were asked for. */
  isComplete: boolean;
  counts: Record<string, number>;
  samples: Record<string, number[]>;
  /** Of the last round. */
  figures?: Record<string, string>;
  violations: string[];
  /** Why it could not run here; null when it did. */
  skipped: string | null;
  machine: string;
  minutes: number;
}

export type Results = Record<string, PartResult>;

export function readResults(path: string): Results {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Results) : {};
}

/** By rename: whoever stops it loses at most one round. */
export function writeResults(path: string, results: Results): void {
  writeFileSync(`${path}.part`, `${JSON.stringify(results, null, 1)}\n`);
  renameSync(`${path}.part`, path);
}

export function newResult(title: string, seed: number): PartResult {
  return {
    ...{ title, seed, ...provenance(), machine: machine() },
    ...{ rounds: 0, isComplete: false, counts: {}, samples: {}, violations: [], skipped: null, minutes: 0 },
  };
}

const mostPerRound = 20;

export function addRound(
  result: PartResult,
  { counts, samples = {}, figures, violations }: Round,
  ms: number,
): void {
  result.rounds += 1;
  result.minutes = Math.round((result.minutes + ms / 60_000) * 1_000) / 1_000;
  for (const [name, count] of Object.entries(counts))
    result.counts[name] = (result.counts[name] ?? 0) + count;
  for (const [name, more] of Object.entries(samples)) {
    result.samples[name] = [...(result.samples[name] ?? []), ...more.map(Math.round)];
  }
  if (figures !== undefined) result.figures = figures;
  // One fault may show in every line of a file.
  result.violations.push(...violations.slice(0, mostPerRound));
}

/** Where the sources under test come from, and what the command is bundled with. */
export function provenance(): { commit: string; sources: string } {
  try {
    const git = (...args: string[]) =>
      execFileSync("git", args, { encoding: "utf8", cwd: import.meta.dirname, stdio: "pipe" }).trim();
    const dirty = git("status", "--porcelain", "--", ...commandSources.map((name) => `:/${name}`)) !== "";
    const trees = git("rev-parse", ...commandSources.map((name) => `HEAD:${name}`)).replaceAll("\n", " ");
    return {
      commit: `${git("rev-parse", "--short=12", "HEAD")}${dirty ? " with changes" : ""}`,
      sources: `${trees}${dirty ? ` and changes of ${new Date().toISOString()}` : ""}`,
    };
  } catch {
    return { commit: "unknown", sources: `unknown, ${new Date().toISOString()}` };
  }
}

function machine(): string {
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${process.platform} ${process.arch}, ${cpus().length} cores, ${gib} GiB, Node ${process.versions.node}`;
}
