import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { copySqliteDatabase, copyTree, linkTree, type NamedFile, syncFile } from "../compose.ts";
import { prepareDirectory, syncDirectory } from "../disk/directory.ts";
import { whyNot } from "./run-places.ts";

/** What holds bytes beside the database. Locks, and the private stores of `nerif run`, are no part of a backup. */
const parts = ["files", "journal"] as const;

export interface Backup {
  /** Absolute. */
  directory: string;
  /** Files that clients see. */
  files: number;
  /** All that was copied. */
  bytes: number;
}

/**
 * Copies a data directory as it is at one moment, while others use it. The moment is short: files get a second name
 * and are copied afterwards. The target appears when it is complete and durable, or not at all.
 *
 * @throws NerifError `output_exists`, `file_not_found`, `storage_unavailable`, `disk_full`, `data_damaged`
 */
export async function backUpDirectory(dataDir: string, target: string): Promise<Backup> {
  const directory = resolve(target);
  await refuseExisting(directory);
  const unfinished = `${directory}.unfinished-${process.pid}`;
  const links = await makeLinksDirectory(dataDir);
  try {
    await prepareDirectory(dirname(directory));
    await mkdir(unfinished, { mode: 0o700 });
    const database = join(unfinished, "nerif.db");
    const named = await copySqliteDatabase({
      path: join(dataDir, "nerif.db"),
      to: database,
      async atThatMoment() {
        for (const part of parts) await linkTree(join(dataDir, part), join(links, part));
      },
    });
    await syncFile(database);
    let { size: bytes } = await stat(database);
    for (const part of parts) bytes += await copyTree(join(links, part), join(unfinished, part));
    await assertComplete(named, join(unfinished, "files"));
    await syncDirectory(unfinished);
    await refuseExisting(directory);
    await rename(unfinished, directory);
    // DURABLE: the name of the backup, or a power cut would take what was said to be there.
    await syncDirectory(dirname(directory));
    return { directory, files: named.length, bytes };
  } catch (reason) {
    throw refusalAt(directory, reason);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
    await rm(links, { recursive: true, force: true });
  }
}

async function refuseExisting(directory: string): Promise<void> {
  const found = await stat(directory).catch((reason: unknown) => {
    if (errnoOf(reason) === "ENOENT") return null;
    throw refusalAt(directory, reason);
  });
  if (found === null) return;
  throw new NerifError("output_exists", `Cannot back up to ${directory}: it is there already`);
}

/** Where a place cannot be written, that is what it says. */
function refusalAt(directory: string, reason: unknown): NerifError {
  const why = whyNot(reason);
  if (reason instanceof NerifError || why === null)
    return NerifError.fromUnknown(reason, `back up to ${directory}`);
  return new NerifError("invalid_usage", `Cannot back up to ${directory}: ${why}`, { cause: reason });
}

/** On the file system of the data, which alone can give it second names. Clears up behind backups that were killed. */
async function makeLinksDirectory(dataDir: string): Promise<string> {
  const all = join(dataDir, "backup");
  for (const name of await readdir(all).catch(() => [])) {
    if (!isAlive(Number(name))) await rm(join(all, name), { recursive: true, force: true });
  }
  const links = join(all, String(process.pid));
  await mkdir(links, { recursive: true, mode: 0o700 }).catch((reason: unknown) => {
    throw NerifError.fromUnknown(reason, `back up ${dataDir}`);
  });
  return links;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (reason) {
    // Somebody else's process is alive as well.
    return errnoOf(reason) === "EPERM";
  }
}

/** A backup in which something is missing must not look like one. */
async function assertComplete(named: readonly NamedFile[], files: string): Promise<void> {
  for (const { key, bytes } of named) {
    const found = await stat(join(files, key)).catch(() => null);
    if (found?.size === bytes) continue;
    const state = found === null ? "missing" : `${found.size} bytes long, not ${bytes}`;
    throw new NerifError("data_damaged", `Cannot back up file ${key}: its content is ${state}`);
  }
}
