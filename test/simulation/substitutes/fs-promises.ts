import { constants } from "node:fs";
import { callLater, endOf, happens, refuseWhenFull } from "../world/calls.ts";
import type { Node } from "../world/directory-node.ts";
import { fail } from "../world/disk.ts";
import { theWorld } from "../world/world.ts";
import { handleOf, openNode } from "./open-files.ts";

/*
 * Stands in for `node:fs/promises`: what the program's disk adapters use of it, on the disk of the world.
 */

function slowest(): number {
  return theWorld().weather.slowestDisk;
}

function onDisk<T>(name: string, effect: () => T): Promise<T> {
  return callLater(name, effect, { slowest: slowest() });
}

export function open(path: string, flags: string | number): Promise<FileHandle> {
  return onDisk(`open ${flags}`, () => {
    const { disk } = theWorld();
    const creates = typeof flags === "string" ? flags.startsWith("w") : (flags & constants.O_CREAT) !== 0;
    if (!creates) return createHandle(disk.find(path) ?? fail("ENOENT", path));
    refuseWhenFull(path);
    return createHandle(disk.create(path, { exclusive: flags === "wx" }));
  });
}

export function mkdir(path: string): Promise<string | undefined> {
  return onDisk("mkdir", () => {
    if (theWorld().disk.find(path) === null) refuseWhenFull(path);
    return theWorld().disk.makeDirectories(path);
  });
}

export function readdir(path: string): Promise<string[]> {
  return onDisk("readdir", () => [...theWorld().disk.directory(path).entries.keys()]);
}

export function rename(from: string, to: string): Promise<void> {
  return onDisk("rename", () => theWorld().disk.rename(from, to));
}

export function unlink(path: string): Promise<void> {
  return onDisk("unlink", () => theWorld().disk.remove(path));
}

/** One step for each name, as the real one takes them; with `force`, a name that another has removed meanwhile is no failure. */
export async function rm(path: string): Promise<void> {
  const names = await onDisk("rm", () => {
    const node = theWorld().disk.find(path);
    return node?.kind === "directory" ? [...node.entries.keys()] : [];
  });
  for (const name of names) await removeOne(`${path}/${name}`);
  await removeOne(path);
}

function removeOne(path: string): Promise<void> {
  return onDisk("rm", () => {
    const { disk } = theWorld();
    if (disk.find(path) !== null) disk.remove(path);
  });
}

export function stat(path: string): Promise<Stats> {
  return onDisk("stat", () => statsOf(theWorld().disk.find(path) ?? fail("ENOENT", path)));
}

interface Stats {
  size: number;
  mtimeMs: number;
  ctimeMs: number;
  isFile(): boolean;
}

function statsOf(node: Node): Stats {
  const isFile = node.kind === "file";
  const changedAt = isFile ? node.changedAt : 0;
  const size = isFile ? node.bytes.length : 0;
  return { size, mtimeMs: changedAt, ctimeMs: changedAt, isFile: () => isFile };
}

export interface FileHandle {
  readonly fd: number;
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  writev(chunks: readonly Uint8Array[]): Promise<{ bytesWritten: number }>;
  sync(): Promise<void>;
  stat(): Promise<Stats>;
  close(): Promise<void>;
}

function createHandle(node: Node): FileHandle {
  const fd = openNode(node);
  let end = 0;
  return {
    fd,
    read: (buffer, offset, length, position) =>
      onDisk("read", () => {
        const from = handleOf(fd).bytes.subarray(position, position + length);
        // A short read now and then: callers have to go on.
        const taken = from.length > 1 && happens(theWorld().weather.shortWrites) ? 1 : from.length;
        return { bytesRead: from.copy(buffer, offset, 0, taken) };
      }),
    writev: (chunks) =>
      onDisk("writev", () => {
        refuseWhenFull("writev");
        const all = Buffer.concat(chunks);
        const taken = happens(theWorld().weather.shortWrites)
          ? theWorld().random.int(1, all.length)
          : all.length;
        handleOf(fd).write(end, all.subarray(0, taken));
        end += taken;
        return { bytesWritten: taken };
      }),
    sync: async () => {
      await onDisk("fsync", endOf(node.beginSync(), "fsync"));
    },
    stat: () => onDisk("fstat", () => statsOf(node)),
    close: () => onDisk("close", () => {}),
  };
}
