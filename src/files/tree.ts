import { constants } from "node:fs";
import { chmod, copyFile, link, mkdir, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../batch/errors.ts";
import { syncDirectory } from "../disk/directory.ts";
import { isTemporary } from "./key.ts";

/**
 * Gives all files below a directory a second name below another, without copying a byte: they stay readable there
 * whatever becomes of the first. What is unfinished is left out, what vanishes meanwhile is skipped.
 */
export async function linkTree(from: string, to: string): Promise<void> {
  for (const entry of await entriesOf(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else if (entry.isFile() && !isTemporary(entry.name)) {
      await mkdir(to, { recursive: true, mode: 0o700 });
      await link(source, target).catch(unlessAbsent);
    }
  }
}

/** Copies all files below a directory and makes them durable. @returns how many bytes there are */
export async function copyTree(from: string, to: string): Promise<number> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  let bytes = 0;
  for (const entry of await entriesOf(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    bytes += entry.isDirectory() ? await copyTree(source, target) : await copyDurably(source, target);
  }
  await syncDirectory(to);
  return bytes;
}

async function copyDurably(source: string, target: string): Promise<number> {
  // Where the file system can, both share their blocks until one is written to.
  await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await chmod(target, 0o600);
  await syncFile(target);
  return (await stat(target)).size;
}

/** Makes the bytes of a file that is complete durable. */
export async function syncFile(path: string): Promise<void> {
  // Windows syncs only through handles that may write.
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function entriesOf(directory: string) {
  return readdir(directory, { withFileTypes: true }).catch((reason: unknown) => {
    unlessAbsent(reason);
    return [];
  });
}

function unlessAbsent(reason: unknown): void {
  if (errnoOf(reason) !== "ENOENT") throw reason;
}
