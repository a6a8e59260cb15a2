import type { FileObject } from "./file.ts";

export type UploadStatus = "pending" | "completed" | "cancelled" | "expired";

/** The upload object of the OpenAI API. All times are Unix seconds. */
export interface UploadObject {
  id: string;
  object: "upload";
  /** Size of the whole file, as it was announced. */
  bytes: number;
  created_at: number;
  filename: string;
  purpose: string;
  status: UploadStatus;
  expires_at: number;
  /** The finished file; null until the upload is completed. */
  file: FileObject | null;
}

export interface UploadPartObject {
  id: string;
  object: "upload.part";
  created_at: number;
  upload_id: string;
}

/** What Nerif keeps of an upload beside its parts. */
export interface StoredUpload {
  id: string;
  project: string;
  /** Id of the key that began it; null where none was asked for. */
  api_key: string | null;
  bytes: number;
  created_at: number;
  expires_at: number;
  filename: string;
  purpose: string;
  mime_type: string;
  /** Lifetime of the finished file in seconds; null: the default of its purpose. */
  file_lifetime: number | null;
  /** `pending` also after `expires_at`, until the sweeper has been there; `uploadStatus` tells what a client sees. */
  status: UploadStatus;
  file_id: string | null;
  /** Parts that were added so far, and their bytes. Both stay as they are when the parts are removed. */
  part_count: number;
  part_bytes: number;
}

/** A part whose bytes are in the file store, under its id as the key. */
export interface StoredPart {
  id: string;
  upload_id: string;
  bytes: number;
  created_at: number;
}

export function uploadStatus(upload: StoredUpload, now: number): UploadStatus {
  return upload.status === "pending" && upload.expires_at <= now ? "expired" : upload.status;
}

/** @param now Unix seconds */
export function uploadObject(upload: StoredUpload, file: FileObject | null, now: number): UploadObject {
  return {
    id: upload.id,
    object: "upload",
    bytes: upload.bytes,
    created_at: upload.created_at,
    filename: upload.filename,
    purpose: upload.purpose,
    status: uploadStatus(upload, now),
    expires_at: upload.expires_at,
    file,
  };
}
