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

/** What many processes share in place of a data directory: a database, and one place for files that all of them reach. */
export interface SharedStorageOptions {
  /**
   * A PostgreSQL database (`postgres://user@host/name`). Any number of processes that share it and a place for files
   * execute its batches together. Default: none.
   */
  databaseUrl?: string | undefined;
  /** A directory that all of them reach, such as an NFS mount: files and results on their way. */
  sharedDir?: string | undefined;
  /** In place of `sharedDir`: `s3://bucket/prefix`, or the bucket alone. Keys come from where the AWS SDK finds them. */
  s3Bucket?: string | undefined;
  /** Another server than AWS: `https://host:port`. Default: what `AWS_ENDPOINT_URL_S3` says. */
  s3Endpoint?: string | undefined;
  /** The bucket stands in the path instead of the host's name. Default: true with an endpoint of its own. */
  s3PathStyle?: boolean | undefined;
}

export interface StorageOptions extends SharedStorageOptions {
  /** Absolute. */
  dataDir: string;
  /** How this process names itself to others that find the data directory taken. Default: the running script. */
  command?: string | undefined;
  onFatal: (error: NerifError) => void;
  /** Told when results cannot be kept at the moment; they are tried again by themselves. */
  onProblem: (error: NerifError) => void;
}

/** Where files and journal are kept. */
interface FilePlace {
  files: FileStore;
  journal: Journal;
  /** A directory's absolute path, or `s3://bucket/prefix`. */
  place: string;
  close(): void;
}

/** Where everything is kept. */
export interface Storage extends Omit<FilePlace, "close"> {
  control: ControlStore;
  lock: ExecutorLock;
  /** Ends what still waits for files and results; only an object store lets anyone wait. */
  giveUpFiles(): void;
  close(): Promise<void>;
}

/**
 * A data directory, or a database and a place for files.
 *
 * @throws NerifError `storage_unavailable`, `data_too_new`, `data_damaged`, `disk_full`, `invalid_configuration`
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { dataDir, databaseUrl, sharedDir, s3Bucket, onFatal } = options;
  if (databaseUrl === undefined) {
    if (sharedDir !== undefined) throw withoutDatabase("--shared-dir", "shared_dir");
    if (s3Bucket !== undefined) throw withoutDatabase("--s3-bucket", "s3_bucket");
    const control = await openSqliteControlStore({ path: join(dataDir, "nerif.db"), onFatal });
    const lock = createExecutorLock({ directory: dataDir, command: options.command ?? scriptName() });
    const { close: giveUpFiles, ...place } = openDirectory(dataDir, onFatal);
    return { ...place, control, lock, giveUpFiles, close: () => control.close() };
  }
  const { close, ...place } = await openFiles(options);
  // Loaded where it is used: the command starts faster without it.
  const { openPostgresControlStore } = await import("./control/postgres.ts");
  const control = await openPostgresControlStore({ url: databaseUrl });
  const closeAll = () => control.close().finally(close);
  try {
    await claimStorage({ control, files: place.files });
  } catch (reason) {
    await closeAll();
    throw reason;
  }
  return { ...place, control, lock: createSharedLock(), giveUpFiles: close, close: closeAll };
}

async function openFiles({
  sharedDir,
  s3Bucket,
  s3Endpoint,
  s3PathStyle,
  onFatal,
  onProblem,
}: StorageOptions): Promise<FilePlace> {
  if (sharedDir !== undefined && s3Bucket !== undefined) throw twoPlaces();
  if (sharedDir !== undefined) return openDirectory(resolve(sharedDir), onFatal);
  if (s3Bucket === undefined) throw withoutFiles();
  const { openS3Storage, parseS3Options } = await import("./compose-s3.ts");
  const options = parseS3Options({ url: s3Bucket, endpoint: s3Endpoint, pathStyle: s3PathStyle });
  const storage = await openS3Storage({ ...options, onProblem });
  return { ...storage, place: `s3://${options.bucket}/${options.prefix}` };
}

function openDirectory(directory: string, onFatal: (error: NerifError) => void): FilePlace {
  const files = createDiskFileStore(join(directory, "files"), { onFatal });
  const journal = createDiskJournal({ directory: join(directory, "journal"), onFatal });
  return { files, journal, place: directory, close() {} };
}

function withoutFiles(): NerifError {
  const why =
    "the processes that share it need a place for files that all of them reach: --s3-bucket or --shared-dir";
  return new NerifError("invalid_configuration", `Cannot use --database-url alone: ${why}`, {
    param: "database_url",
  });
}

function withoutDatabase(flag: string, param: string): NerifError {
  const why = "the processes that share it need a database that all of them reach: --database-url";
  return new NerifError("invalid_configuration", `Cannot use ${flag} alone: ${why}`, { param });
}

function twoPlaces(): NerifError {
  const message = "Cannot use --shared-dir and --s3-bucket together: files are kept in one place";
  return new NerifError("invalid_configuration", message, { param: "s3_bucket" });
}

function scriptName(): string {
  return basename(process.argv[1] ?? "node");
}
