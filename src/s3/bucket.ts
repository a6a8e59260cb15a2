import type { Readable } from "node:stream";

/**
 * The objects below one prefix of one bucket, for the adapters that keep their bytes there. Keys are relative to the
 * prefix. `action` is what an error message says that could not be done. Every call repeats what may succeed when it
 * is repeated, so any of them may be carried out twice, and once more after its caller has given up.
 *
 * @throws NerifError `storage_unavailable`, `disk_full`; where an object is named, `file_not_found`
 */
export interface Bucket {
  /** Writes an object whole. */
  put(key: string, body: Buffer, action: string): Promise<void>;
  /**
   * Writes what a stream brings, of whatever length, in parts where it is long. Nothing is visible before its end;
   * when the stream breaks off, nothing is left.
   */
  upload(key: string, body: Readable, options: UploadOptions): Promise<void>;
  /** How many bytes an upload may have. */
  readonly mostUploadBytes: number;
  /** The first bytes of an object, and what it is. */
  first(key: string, length: number, action: string): Promise<ObjectHead>;
  /** The same with its bytes as they come, all from `start` on when `end` lies behind the object's; they are to be read. */
  open(key: string, range: ObjectRange, action: string): Promise<OpenedObject>;
  /** The bytes from `start` to before `end`, in chunks as they come. Goes on where a connection broke off. */
  read(key: string, range: ObjectRange, action: string): AsyncGenerator<Buffer>;
  /** The objects whose keys begin so, in the order of their keys. */
  list(keyPrefix: string, action: string): AsyncGenerator<ListedObject>;
  /** The size of an object, or null when there is none. */
  size(key: string, action: string): Promise<number | null>;
  /** The names between `keyPrefix` and the next slash. */
  folders(keyPrefix: string, action: string): AsyncGenerator<string>;
  /** Removes objects; those that are not there are no error. */
  remove(keys: readonly string[], action: string): Promise<void>;
  /** Gives up uploads in parts that were begun before a time (Unix milliseconds) and never ended. */
  abortUploads(keyPrefix: string, before: number, action: string): Promise<void>;
  /** Breaks off what is under way, and refuses what comes after it with `shutting_down`. */
  close(): void;
}

export interface UploadOptions {
  action: string;
  /** Whether it waits with further parts where the memory for those of all who wait is taken. Default false. */
  waits?: boolean | undefined;
}

export interface OpenedObject {
  /** Of the whole object. */
  bytes: number;
  etag: string;
  chunks: AsyncGenerator<Buffer>;
}

export interface ObjectHead {
  /** Of the whole object. */
  bytes: number;
  etag: string;
  head: Buffer;
}

export interface ObjectRange {
  start: number;
  end: number;
  /** Only of the object that has this tag; another one under the same key is refused. */
  etag?: string;
}

export interface ListedObject {
  key: string;
  bytes: number;
  /** Unix milliseconds; of an object that came in parts, when its upload began. */
  modifiedAt: number;
  cameInParts: boolean;
}

export interface BucketTuning {
  /** Size of a part, in bytes, 5 MiB at least. All but the last are as large: R2 takes no others. Default 8 MiB. */
  partBytes?: number;
  /** All parts together of the uploads that wait, in bytes, beside one of each. Default 128 MiB. */
  sharedBytes?: number;
  /** Most parts of an object. Default 10,000, which is all that S3 takes. */
  mostParts?: number;
  /**
   * Longest wait for a connection, and longest silence on one, in milliseconds. Default 5,000 and 60,000: an end of an
   * upload in parts may take the server a while.
   */
  timeouts?: { connect: number; idle: number };
  /** Calls for one request, the first included. Default 4. */
  maxAttempts?: number;
}
