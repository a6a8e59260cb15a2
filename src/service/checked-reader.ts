import { createHash } from "node:crypto";
import { NerifError } from "../batch/errors.ts";
import type { StoredFile } from "../batch/file.ts";
import type { FileReader, FileStore } from "../files/file-store.ts";

/** Files of a store whose bytes this process has found to be whole, for reading parts of them. */
const checkedKeys = new WeakMap<FileStore, Set<string>>();
const mostKeys = 10_000;

/**
 * Opens a stored file so that `stream` never gives away damaged bytes as if they were good: they are held against
 * the SHA-256 of the record. A stream of the whole keeps its last chunk back until the sum is known; before the first
 * stream of a part the whole is read once.
 *
 * @throws NerifError `file_not_found`; `stream` throws `data_damaged`
 */
export async function openChecked(files: FileStore, file: StoredFile): Promise<FileReader> {
  const reader = await files.open(file.key);
  return {
    bytes: reader.bytes,
    read: reader.read,
    close: () => reader.close(),
    async *stream(range = { start: 0, end: reader.bytes }) {
      const isWhole = range.start === 0 && range.end >= reader.bytes;
      if (isWhole) yield* checkedStream(reader, file);
      else {
        await checkOnce(files, file, reader);
        yield* reader.stream(range);
      }
    },
  };
}

async function* checkedStream(reader: FileReader, file: StoredFile): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let held: Buffer | null = null;
  for await (const chunk of reader.stream()) {
    if (held !== null) yield held;
    hash.update(chunk);
    held = chunk;
  }
  if (reader.bytes !== file.bytes || hash.digest("hex") !== file.sha256) {
    throw new NerifError(
      "data_damaged",
      `Cannot read file ${file.id}: its bytes are not those that were stored`,
    );
  }
  if (held !== null) yield held;
}

async function checkOnce(files: FileStore, file: StoredFile, reader: FileReader): Promise<void> {
  const checked = checkedKeys.get(files) ?? new Set();
  checkedKeys.set(files, checked);
  if (checked.has(file.key)) return;
  for await (const _ of checkedStream(reader, file));
  if (checked.size >= mostKeys) checked.clear();
  checked.add(file.key);
}
