import { basename, join, resolve } from "node:path";
import { NerifError } from "./batch/errors.ts";
import type { ControlStore, ExecutorLock } from "./control/control-store.ts";
import { createExecutorLock } from "./control/executor-lock.ts";
import { createSharedLock } from "./control/shared-lock.ts";
import { openSqliteControlStore } from "./control/sqlite.ts";
import { createDiskFileStore } from "./files/disk.ts";
import type { FileStore } from "./files/file-store.ts";
import { createDiskJournal } from "./journal/disk.ts";
import type { Journal } from "./journal/journal.ts";
import { claimStorage } from "./service/claim-storage.ts";

export interface StorageOptions {
  /** Absolute. */
  dataDir: string;
  /** A PostgreSQL database that any number of processes share; they share `sharedDir` as well. */
  databaseUrl?: string | undefined;
  /** A directory that all of these processes reach, for files and journal. */
  sharedDir?: string | undefined;
  /** How this process names itself to others that find the data directory taken. Default: the running script. */
  command?: string | undefined;
  onFatal: (error: NerifError) => void;
}

/** Where everything is kept. */
export interface Storage {
  control: ControlStore;
  files: FileStore;
  journal: Journal;
  lock: ExecutorLock;
  /** Absolute; of files and journal. */
  directory: string;
}

/**
 * A data directory, or a database and a shared directory.
 *
 * @throws NerifError `storage_unavailable`, `data_too_new`, `data_damaged`, `disk_full`, `invalid_configuration`
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { dataDir, databaseUrl, sharedDir, onFatal } = options;
  if (databaseUrl === undefined) {
    if (sharedDir !== undefined) throw withoutDatabase();
    const control = await openSqliteControlStore({ path: join(dataDir, "nerif.db"), onFatal });
    const lock = createExecutorLock({ directory: dataDir, command: options.command ?? scriptName() });
    return { control, lock, ...openFiles(dataDir, onFatal) };
  }
  if (sharedDir === undefined) throw withoutFiles();
  const opened = openFiles(resolve(sharedDir), onFatal);
  // Loaded where it is used: the command starts faster without it.
  const { openPostgresControlStore } = await import("./control/postgres.ts");
  const control = await openPostgresControlStore({ url: databaseUrl });
  try {
    await claimStorage({ control, files: opened.files });
  } catch (reason) {
    await control.close();
    throw reason;
  }
  return { control, lock: createSharedLock(), ...opened };
}

function openFiles(directory: string, onFatal: (error: NerifError) => void) {
  const files = createDiskFileStore(join(directory, "files"), { onFatal });
  const journal = createDiskJournal({ directory: join(directory, "journal"), onFatal });
  return { files, journal, directory };
}

function withoutFiles(): NerifError {
  const why = "the processes that share it need a place for files that all of them reach: --shared-dir";
  return new NerifError("invalid_configuration", `Cannot use --database-url alone: ${why}`, {
    param: "database_url",
  });
}

function withoutDatabase(): NerifError {
  const why = "the processes that share it need a database that all of them reach: --database-url";
  return new NerifError("invalid_configuration", `Cannot use --shared-dir alone: ${why}`, {
    param: "shared_dir",
  });
}

function scriptName(): string {
  return basename(process.argv[1] ?? "node");
}
