import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/** What became of one mutation. */
export interface MutationResult {
  name: string;
  watchedBy: string;
  isCaught: boolean;
  /** What the watch said when it went red. */
  says: string;
  /** The commit of the sources that were changed. */
  commit: string;
}

export function readMutationResults(path: string): MutationResult[] {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as MutationResult[]) : [];
}

export function writeMutationResults(path: string, results: readonly MutationResult[]): void {
  writeFileSync(`${path}.part`, `${JSON.stringify(results, null, 1)}\n`);
  renameSync(`${path}.part`, path);
}
