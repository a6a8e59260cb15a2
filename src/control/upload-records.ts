import type { Quotas } from "../batch/api-key.ts";
import type { StoredFile } from "../batch/file.ts";
import type { StoredPart, StoredUpload } from "../batch/upload.ts";
import type { InsertOptions } from "./insert-options.ts";

/**
 * Uploads and their parts. An upload is open while it is `pending` and not expired at `now` (Unix seconds);
 * whatever ends it compares that and sets the new status in one statement, so that it ends once.
 */
export interface UploadRecords {
  /** @throws NerifError those of the options */
  insertUpload(upload: StoredUpload, options?: InsertOptions): Promise<void>;
  /** Null when there is none, or it belongs to another project. */
  getUpload(project: string, id: string): Promise<StoredUpload | null>;
  /**
   * Adds a part to an open upload, unless it would have more than `parts` parts or `bytes` bytes in them then.
   * @returns whether it was added
   * @throws NerifError `quota_exceeded` when it takes the usage of the upload's key beyond `quotas`
   */
  insertPart(part: StoredPart, room: UploadRoom): Promise<boolean>;
  /** The parts of an upload, in no order. */
  uploadParts(uploadId: string): Promise<StoredPart[]>;
  /**
   * Completes an open upload and adds its file, both or neither. False when it is not open any more.
   * @throws NerifError `file_exists`
   */
  completeUpload(id: string, file: StoredFile, now: number): Promise<boolean>;
  /** False when the upload is not open any more. */
  cancelUpload(id: string, now: number): Promise<boolean>;
  /** Writes down that the time of a pending upload is over; changes no other. */
  expireUpload(id: string, now: number): Promise<void>;
  /** Uploads of any project that are not open any more and still have parts. */
  endedUploads(now: number, limit: number): Promise<string[]>;
  /** Forgets the parts of an upload, whose bytes are gone. */
  deleteParts(uploadId: string): Promise<void>;
  /** Forgets uploads that expired, or would have, before `before` (Unix seconds) and have no parts. */
  deleteUploads(before: number): Promise<void>;
}

/** What must hold for a part to be added. */
export interface UploadRoom {
  now: number;
  parts: number;
  bytes: number;
  quotas?: Quotas | undefined;
}
