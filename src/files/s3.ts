import { NerifError } from "../batch/errors.ts";
import type { Bucket } from "../s3/bucket.ts";
import type { FileReader, FileStore } from "./file-store.ts";
import { assertKey, isOperatorPath } from "./key.ts";
import { createBlockCache } from "./s3-blocks.ts";
import { createS3Reader, headBytes } from "./s3-reader.ts";
import { createS3Writer } from "./s3-writer.ts";
import { abandonedMs, unnamedOf } from "./unnamed.ts";

/** An upload of which nobody knows any more; a result file of many gigabytes may well take some hours. */
const abandonedUploadMs = 48 * 60 * 60_000;

const folder = "files/";

/**
 * Files as objects `files/<key>`. A key is written once, or again with the same bytes, so that a write that is carried
 * out late does no harm. A reader never shows bytes of two files: when its object is replaced, it says so.
 *
 * @param options.now Unix time in milliseconds, for what is compared with times of the object store. Default: the system's
 */
export function createS3FileStore(
  bucket: Bucket,
  { now = Date.now }: { now?: () => number } = {},
): FileStore {
  const blocks = createBlockCache(bucket);

  return {
    async create(key, { waits } = {}) {
      return createS3Writer({ bucket, key: objectOf(key), action: `write file ${key}`, waits });
    },

    async open(key): Promise<FileReader> {
      const object = objectOf(key);
      const action = `read file ${key}`;
      const found = await bucket.first(object, headBytes, action);
      return createS3Reader({ bucket, blocks, key: object, action, ...found });
    },

    size: async (key) => bucket.size(objectOf(key), `look at file ${key}`),

    delete: async (key) => bucket.remove([objectOf(key)], `delete file ${key}`),

    removeAbandoned: () => abortUploads(""),

    async removeUnnamed(prefix, named) {
      const action = "clear up files that nothing names";
      const ages = new Map<string, number>();
      for await (const { key, modifiedAt, cameInParts } of bucket.list(folder + prefix, action)) {
        // The time of an object in parts is when its upload began: it may have been committed a moment ago.
        const age = now() - modifiedAt - (cameInParts ? abandonedUploadMs : 0);
        ages.set(key.slice(folder.length), age);
      }
      const unnamed = await Array.fromAsync(unnamedOf([...ages.keys()], named));
      const old = unnamed.filter((key) => (ages.get(key) ?? 0) > abandonedMs);
      await bucket.remove(old.map(objectOf), action);
      await abortUploads(prefix);
    },
  };

  /** Those of other processes are spared by their age. */
  function abortUploads(prefix: string): Promise<void> {
    return bucket.abortUploads(folder + prefix, now() - abandonedUploadMs, "clear up unfinished files");
  }
}

function objectOf(key: string): string {
  assertKey(key);
  if (!isOperatorPath(key)) return folder + key;
  throw new NerifError("invalid_id", "Cannot use a path as a file key: files are kept in an object store");
}
