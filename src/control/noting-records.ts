/** What is written down so that batches are found quickly. */
export interface NotingRecords {
  /**
   * Notes under which metadata up to `limit` batches are found that an older Nerif has inserted, which does not do so
   * itself. They are found before, too, but each is looked at for that.
   * @returns false when there are none
   */
  noteMetadata(limit: number): Promise<boolean>;
}
