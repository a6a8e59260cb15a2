import type { BatchStatus } from "../batch/batch.ts";

/** How many batches there are. */
export interface BatchCountRecords {
  /** The number of batches of all projects by status; a status that no batch has is left out. */
  countBatches(): Promise<{ status: BatchStatus; batches: number }[]>;
}
