import type { BatchStatus } from "../batch/batch.ts";

/** How many batches there are, and how much of them is to do. */
export interface BatchCountRecords {
  /** The number of batches of all projects by status; a status that no batch has is left out. */
  countBatches(): Promise<{ status: BatchStatus; batches: number }[]>;
  /** Lines of all projects that are not done, of batches that are validated or in progress; some seconds behind. */
  countQueuedLines(): Promise<number>;
}
