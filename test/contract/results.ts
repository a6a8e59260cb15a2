import { fileURLToPath } from "node:url";

export const suiteNames = ["node", "node-previous", "python"] as const;

export type SuiteName = (typeof suiteNames)[number];

/** What one suite leaves behind. */
export interface SuiteResults {
  /** `openai 7.57.0` */
  version: string;
  /** By `rowKey`; rows that failed or did not run are absent. */
  rows: Record<string, "pass">;
}

export const resultsDirectory = fileURLToPath(
  new URL("../../node_modules/.cache/nerif-contract/", import.meta.url),
);

export function resultsFile(name: SuiteName): string {
  return `${resultsDirectory}${name}.json`;
}
