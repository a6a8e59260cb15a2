import type { StoredFile } from "../batch/file.ts";
import type { StoredPart, StoredUpload } from "../batch/upload.ts";
import type { StoredAnswer } from "./idempotency-records.ts";

/**
 * Uploads and their parts. An upload is open while it is `pending` and not expired at `now` (Unix seconds);
 * whatever ends it compares that and sets the new status in one statement, so that it ends once.
 */
export interface UploadRecords {
  /**
   * Records an upload, and with it the answer that tells of it.
   * @throws NerifError `idempotency_key_reused` when the key of the answer has one already; then nothing is recorded
   */
  insertUpload(upload: StoredUpload, answer?: StoredAnswer): Promise<void>;
  /** Null when there is none, or it belongs to another project. */
  getUpload(project: string, id: string): Promise<StoredUpload | null>;
  /**
   * Adds a part to an open upload, unless it would have more than `parts` parts or `bytes` bytes in them then.
   * @returns whether it was added
   */
  insertPart(part: StoredPart, room: { now: number; parts: number; bytes: number }): Promise<boolean>;
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
