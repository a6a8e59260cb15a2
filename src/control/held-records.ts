/** What a process asks that waits for others to do the rest of its batches. */
export interface HeldRecords {
  /**
   * Those of the batches of which nothing new can be said: they have this version still, and of their shards that are
   * not done each has a holder whose lease has not run out. One question for all.
   */
  heldBatches(batches: readonly { id: string; version: number }[]): Promise<string[]>;
}
