/** The file object of the OpenAI API. All times are Unix seconds. */
export interface FileObject {
  id: string;
  object: "file";
  bytes: number;
  created_at: number;
  expires_at: number | null;
  filename: string;
  purpose: string;
  status: "processed";
  status_details: null;
}

/** What Nerif keeps of a file beside its bytes. */
export interface StoredFile {
  id: string;
  project: string;
  bytes: number;
  created_at: number;
  expires_at: number | null;
  filename: string;
  purpose: string;
  /** Hexadecimal SHA-256 of the bytes. */
  sha256: string;
  /** Where the bytes are in the file store: the id, or an absolute path that the operator chose. */
  key: string;
  /** Id of the API key with which it came; null where none was asked for. */
  api_key: string | null;
  /** Lines that are not blank, counted while the bytes came; null where nobody counted. */
  lines: number | null;
}

export function fileObject(file: StoredFile): FileObject {
  return {
    id: file.id,
    object: "file",
    bytes: file.bytes,
    created_at: file.created_at,
    expires_at: file.expires_at,
    filename: file.filename,
    purpose: file.purpose,
    status: "processed",
    status_details: null,
  };
}

/** Whether the API still shows the file at `now` (Unix seconds). */
export function isVisible(file: StoredFile, now: number): boolean {
  return file.expires_at === null || file.expires_at > now;
}
