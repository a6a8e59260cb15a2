/**
 * Where bytes live: input files, plans, result files. The store knows no purposes, projects or expiry; a record
 * in the control store gives a key its meaning.
 *
 * A **key** is an id of Nerif's own making (letters, digits, `-`, `_`, `.`), or, on a disk, an absolute path that
 * the operator chose (`nerif run` reads its input in place and writes its results where it was told).
 */
export interface FileStore {
  /**
   * Opens a new file for writing. Nothing is visible under `key` until `commit`, which replaces what was there.
   *
   * @throws NerifError `disk_full`, `storage_unavailable`, and from its writer `file_too_large`, `output_exists`
   */
  create(key: string, options?: CreateOptions): Promise<FileWriter>;
  /** Opens a file for reading by position. @throws NerifError `file_not_found` */
  open(key: string): Promise<FileReader>;
  /** The size in bytes, or null when there is no such file. */
  size(key: string): Promise<number | null>;
  /** Removes a file; one that is not there is no error. Durable when the promise resolves. */
  delete(key: string): Promise<void>;
  /** Removes what writers of dead processes left behind; others are known by having written within the last hour. */
  removeAbandoned(): Promise<void>;
  /**
   * Removes files whose keys begin with `prefix` and that nothing names: what a process left that died between
   * the commit of bytes and the record of them. Only those committed more than an hour ago are looked at, since a
   * record may be on its way; paths of the operator never are.
   *
   * @param named those of up to 500 keys that something names
   */
  removeUnnamed(prefix: string, named: (keys: readonly string[]) => Promise<Iterable<string>>): Promise<void>;
}

export interface CreateOptions {
  /**
   * Whether the writer makes do with little memory where others that wait hold what there is for them: there may be any
   * number of clients, and each sends at its own pace. Default false.
   */
  waits?: boolean | undefined;
  /**
   * False, for a path of the operator: `commit` refuses with `output_exists` to replace anything but the very same
   * bytes, which an earlier try has left. Default true.
   */
  replace?: boolean | undefined;
}

export interface FileWriter {
  /** Appends chunks in order. Resolves when more may be written; the bytes may not be reused before that. */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** Makes the bytes durable under their key (fsync, rename, fsync of the directory), then resolves. */
  commit(): Promise<{ bytes: number; sha256: string }>;
  /** Forgets the bytes. Safe to call after `commit` and more than once. */
  abort(): Promise<void>;
}

export interface FileReader {
  /** Size in bytes when the file was opened. */
  readonly bytes: number;
  /** Up to `length` bytes at `offset`; fewer only at the end of the file. */
  read(offset: number, length: number): Promise<Buffer>;
  /** The bytes from `start` to before `end` (default: all) in chunks of at most 1 MiB. */
  stream(range?: { start: number; end: number }, options?: StreamOptions): AsyncIterable<Buffer>;
  /** Whether nobody has written to it since it was opened. Absent where nobody can. */
  isUnchanged?(): Promise<boolean>;
  close(): Promise<void>;
}

export interface StreamOptions {
  /**
   * How many chunks have to be valid at a time, the last one counted; the memory of older ones may be used again.
   * Default: all, each is the caller's own.
   */
  valid?: number | undefined;
}
