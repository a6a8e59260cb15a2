import type { NerifError } from "./batch/errors.ts";
import type { FileStore } from "./files/file-store.ts";
import { createS3FileStore } from "./files/s3.ts";
import type { Journal } from "./journal/journal.ts";
import { createObjectJournal } from "./journal/objects.ts";
import { openBucket } from "./s3/open-bucket.ts";
import type { S3Options } from "./s3/options.ts";

export { parseS3Options, type S3Options } from "./s3/options.ts";

export interface S3StorageOptions extends S3Options {
  /** Told when results cannot be kept at the moment; they are tried again by themselves. */
  onProblem?: (error: NerifError) => void;
}

export interface S3Storage {
  files: FileStore;
  journal: Journal;
  /** Gives connections back; what is not durable by then never will be. Call it when the engine has stopped. */
  close(): void;
}

/**
 * Files and results of several machines in one bucket. Reaches for nothing yet: the first call finds out whether bucket
 * and keys are good.
 *
 * @throws NerifError `invalid_configuration` when the SDK is not installed
 */
export async function openS3Storage({ onProblem, ...options }: S3StorageOptions): Promise<S3Storage> {
  const bucket = await openBucket(options);
  const journal = createObjectJournal({ bucket, ...(onProblem === undefined ? {} : { onProblem }) });
  return {
    files: createS3FileStore(bucket),
    journal,
    close() {
      journal.close();
      bucket.close();
    },
  };
}
