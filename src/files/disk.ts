import { constants } from "node:fs";
import { type FileHandle, open, readdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { prepareDirectory, syncDirectory } from "../disk/directory.ts";
import { diskFailure, storageError } from "./disk-errors.ts";
import { createDiskReader } from "./disk-reader.ts";
import { createDiskWriter, type DiskCalls } from "./disk-writer.ts";
import type { FileReader, FileStore, FileWriter } from "./file-store.ts";
import { assertKey, isOperatorPath, isTemporary, pathOf } from "./key.ts";
import { abandonedMs, unnamedOf } from "./unnamed.ts";

export interface DiskFileStoreOptions {
  /**
   * Called once with NerifError `storage_unavailable` when a sync failed or a write got EIO: what the disk holds
   * is unknown from then on, so the process must stop and start again. Default: nothing is called, the writer
   * rejects all the same.
   */
  onFatal?: (error: NerifError) => void;
  /** The calls that decide about durability; tests put failing ones here. Default: those of Node. */
  calls?: Partial<DiskCalls>;
  /** Unix time in milliseconds, as the file system has it. Default: the system's. */
  now?: () => number;
}

const defaultCalls: DiskCalls = {
  write: async (handle, chunks) => (await handle.writev(chunks)).bytesWritten,
  sync: (handle) => handle.sync(),
};

/**
 * Files in one directory, created with mode 0700 at the first write; a key that is an absolute path is that
 * path. Files of the directory have mode 0600, files elsewhere what the umask leaves.
 */
export function createDiskFileStore(directory: string, options: DiskFileStoreOptions = {}): FileStore {
  const { onFatal = () => {}, now = Date.now } = options;
  const calls = { ...defaultCalls, ...options.calls };
  // Temporaries of this process, so that clearing up for one writer never takes another's.
  const live = new Set<string>();
  let prepared: Promise<void> | null = null;

  return {
    async create(key, { replace = true } = {}): Promise<FileWriter> {
      const path = pathOf(directory, key);
      const action = `write ${nameOf(key)}`;
      try {
        if (isOperatorPath(key)) await removeTemporaries(dirname(path), live, { path });
        else await prepare();
        return await createDiskWriter({ path, action, live, calls, onFatal, replace, mode: modeOf(key) });
      } catch (reason) {
        throw storageError(reason, action);
      }
    },

    async open(key): Promise<FileReader> {
      const path = pathOf(directory, key);
      const action = `read ${nameOf(key)}`;
      let handle: FileHandle | null = null;
      try {
        // Without O_NONBLOCK a named pipe would hold a thread of the pool until somebody writes to it.
        handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
        const found = await handle.stat({ bigint: true });
        if (!found.isFile()) {
          throw new NerifError("invalid_value", `Cannot ${action}: it is not a regular file`);
        }
        return createDiskReader({ handle, opened: found, action });
      } catch (reason) {
        await handle?.close().catch(() => {});
        throw storageError(reason, action);
      }
    },

    async size(key) {
      const path = pathOf(directory, key);
      try {
        return (await stat(path)).size;
      } catch (reason) {
        if (isAbsent(reason)) return null;
        throw storageError(reason, `look at ${nameOf(key)}`);
      }
    },

    async delete(key) {
      const path = pathOf(directory, key);
      try {
        await unlinkIfThere(path);
        // DURABLE: also when the name was gone already, since an earlier process may have died before its sync.
        await syncDirectory(dirname(path), failedSync(`delete ${nameOf(key)}`)).catch((reason: unknown) => {
          if (!isAbsent(reason)) throw reason;
        });
      } catch (reason) {
        throw storageError(reason, `delete ${nameOf(key)}`);
      }
    },

    async removeAbandoned() {
      try {
        // Another process may be writing one at this moment.
        await removeTemporaries(directory, live, { before: now() - abandonedMs });
      } catch (reason) {
        throw storageError(reason, "clear up unfinished files");
      }
    },

    async removeUnnamed(prefix, named) {
      try {
        const keys = (await entriesOf(directory)).filter(
          (entry) => entry.startsWith(prefix) && !isTemporary(entry),
        );
        const before = now() - abandonedMs;
        for await (const key of unnamedOf(keys, named)) {
          const path = join(directory, key);
          // The time of the rename: content may have been written long before its commit.
          if (await isOlder(path, { before, time: "ctimeMs" })) await unlinkIfThere(path);
        }
      } catch (reason) {
        throw storageError(reason, "clear up files that nothing names");
      }
    },
  };

  function failedSync(action: string): (reason: unknown) => NerifError {
    return (reason) => {
      const error = diskFailure(reason, action);
      onFatal(error);
      return error;
    };
  }

  function prepare(): Promise<void> {
    prepared ??= prepareDirectory(directory, failedSync("keep files")).catch((reason: unknown) => {
      prepared = null;
      throw reason;
    });
    return prepared;
  }
}

/** An id may be shown to anyone, an operator's path to the operator, who is the only one to see its errors. */
function nameOf(key: string): string {
  assertKey(key);
  return isOperatorPath(key) ? key : `file ${key}`;
}

function modeOf(key: string): number {
  return isOperatorPath(key) ? 0o666 : 0o600;
}

/** Removes what killed processes left: what is old enough, or, with `path`, what was to become that file. */
async function removeTemporaries(
  directory: string,
  live: Set<string>,
  { path, before }: { path?: string; before?: number },
): Promise<void> {
  for (const entry of await entriesOf(directory)) {
    const found = join(directory, entry);
    if (!isTemporary(entry, path) || live.has(found)) continue;
    if (before === undefined || (await isOlder(found, { before, time: "mtimeMs" })))
      await unlinkIfThere(found);
  }
}

async function entriesOf(directory: string): Promise<string[]> {
  return readdir(directory).catch((reason: unknown) => {
    if (isAbsent(reason)) return [];
    throw reason;
  });
}

async function isOlder(
  path: string,
  { before, time }: { before: number; time: "mtimeMs" | "ctimeMs" },
): Promise<boolean> {
  const found = await stat(path).catch((reason: unknown) => {
    if (isAbsent(reason)) return null;
    throw reason;
  });
  return found !== null && found[time] < before;
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (reason) {
    if (!isAbsent(reason)) throw reason;
  }
}

function isAbsent(reason: unknown): boolean {
  const errno = errnoOf(reason);
  return errno === "ENOENT" || errno === "ENOTDIR";
}
