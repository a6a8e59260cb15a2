import { createHash } from "node:crypto";
import { NerifError } from "../batch/errors.ts";
import type { StoredFile } from "../batch/file.ts";
import type { FileReader, FileStore } from "../files/file-store.ts";

/** Files of a store that this process has found to be whole, or is about to, by what their bytes have to be. */
const checks = new WeakMap<FileStore, Map<string, Promise<void>>>();
const mostFiles = 10_000;

/**
 * Opens a stored file so that `stream` never gives away damaged bytes as if they were good: they are held against
 * the SHA-256 of the record. A stream of the whole keeps its last chunk back until the sum is known; before the first
 * stream of a part the whole is read once, however many ask for parts meanwhile.
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
        await checkOnce(files, file);
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

/** Also for those who come while it is under way; those who left do not stop it, since others may wait. */
function checkOnce(files: FileStore, file: StoredFile): Promise<void> {
  const known = checks.get(files) ?? new Map<string, Promise<void>>();
  checks.set(files, known);
  const name = `${file.key} ${file.bytes} ${file.sha256}`;
  const check = known.get(name) ?? checkWhole(files, file);
  // The one that was asked for last goes last.
  known.delete(name);
  known.set(name, check);
  check.catch(() => {
    if (known.get(name) === check) known.delete(name);
  });
  const [oldest] = known.keys();
  if (known.size > mostFiles && oldest !== undefined) known.delete(oldest);
  return check;
}

async function checkWhole(files: FileStore, file: StoredFile): Promise<void> {
  // A reader of its own: whoever asked first may close his.
  const reader = await files.open(file.key);
  try {
    for await (const _ of checkedStream(reader, file));
  } finally {
    await reader.close();
  }
}
