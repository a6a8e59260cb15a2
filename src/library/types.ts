import type { BatchStatus } from "../batch/batch.ts";

/**
 * One request, as one line of an input file. It is checked when it is written, save for what the whole file tells: a
 * `custom_id` that is there twice fails the batch.
 */
export interface BatchRequest {
  /** Unique in its file, 1 to 512 bytes. */
  custom_id: string;
  method: string;
  /** The endpoint: `/v1/chat/completions`, `/v1/embeddings`, ... */
  url: string;
  /** What the endpoint takes, with its `model`. */
  body: object;
}

/** Items one after another: an array, a generator, a stream. Only a few of them are in memory at once. */
export type Items<T> = Iterable<T> | AsyncIterable<T>;

/** One line of an output or error file. */
export interface BatchResult {
  id: string;
  custom_id: string;
  /** What the upstream answered; null when nothing was answered. */
  response: { status_code: number; request_id: string; body: unknown } | null;
  /** Null when the request succeeded. */
  error: { code: string; message: string; type: string } | null;
}

export interface BatchCreateParams {
  input_file_id: string;
  endpoint: string;
  /** Default `24h`. */
  completion_window?: string | undefined;
  /** Up to 16 pairs of 64 and 512 characters. */
  metadata?: Record<string, string> | null | undefined;
  /** When the result files go, in seconds after they were made. */
  output_expires_after?: { anchor: "created_at"; seconds: number } | null | undefined;
}

export interface ListParams {
  /** Id of the last object of the page before. */
  after?: string | undefined;
  limit?: number | undefined;
}

/** Only batches to which all of this applies. */
export interface BatchListParams extends ListParams {
  status?: BatchStatus | undefined;
  /** Created later than this, in Unix seconds. */
  created_after?: number | undefined;
  /** Created earlier than this, in Unix seconds. */
  created_before?: number | undefined;
  /** Has all of these pairs, letter for letter. */
  metadata?: Record<string, string> | undefined;
}

export interface FileListParams extends ListParams {
  purpose?: string | undefined;
  /** By time of creation; default `desc`. */
  order?: "asc" | "desc" | undefined;
}

/** A page of a list, in the shape of the OpenAI API. */
export interface ListPage<T> {
  object: "list";
  data: T[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}
