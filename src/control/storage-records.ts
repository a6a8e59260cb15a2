/** Which place of files belongs to this control store, where the two can be apart. */
export interface StorageRecords {
  /** Null as long as no place has been chosen. */
  getStorage(): Promise<StorageMark | null>;
  /** Chooses an id for the place, unless one has been chosen. */
  chooseStorage(id: string): Promise<void>;
  /** Notes that the place bears this id. */
  markStorage(id: string): Promise<void>;
}

export interface StorageMark {
  id: string;
  /** Whether the place has been seen with it. */
  isPlaced: boolean;
}
