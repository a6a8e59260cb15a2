import { join } from "node:path";

export const suiteNames = ["node", "node-previous", "python"] as const;

export type SuiteName = (typeof suiteNames)[number];

/** What one suite leaves behind for the page. */
export interface SuiteResults {
  /** `openai 7.57.0` */
  version: string;
  /** By `rowKey`; rows that failed or did not run are absent. */
  rows: Record<string, "pass">;
}

/** Environment variable with the directory that takes the results. Where it is not set, nobody wants them. */
export const resultsVariable = "NERIF_CONTRACT_RESULTS";

export function resultsFile(directory: string, name: SuiteName): string {
  return join(directory, `${name}.json`);
}
