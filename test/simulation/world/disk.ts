import { basename, dirname } from "node:path";
import { createDirectoryNode, type DirectoryNode, type Node } from "./directory-node.ts";
import { createFileNode, type FileNode } from "./file-node.ts";
import type { Random } from "./random.ts";

/** A file system in memory that forgets at a power cut what was not synced. Calls throw errors as Node has them. */
export interface Disk {
  file(path: string): FileNode;
  directory(path: string): DirectoryNode;
  find(path: string): Node | null;
  create(path: string, options: { exclusive: boolean }): FileNode;
  /** Returns the first directory that it made, if any. */
  makeDirectories(path: string): string | undefined;
  rename(from: string, to: string): void;
  remove(path: string): void;
  losePower(): void;
}

export function createDisk(random: Random, wallClock: () => number): Disk {
  const root = createDirectoryNode();

  function find(path: string): Node | null {
    let node: Node = root;
    for (const name of path.split("/")) {
      if (name === "") continue;
      const next: Node | undefined = node.kind === "directory" ? node.entries.get(name) : undefined;
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  function mustFind(path: string): Node {
    return find(path) ?? fail("ENOENT", path);
  }

  function directory(path: string): DirectoryNode {
    const node = mustFind(path);
    return node.kind === "directory" ? node : fail("ENOTDIR", path);
  }

  function makeDirectories(path: string): string | undefined {
    if (find(path)?.kind === "directory") return undefined;
    const first = makeDirectories(dirname(path));
    directory(dirname(path)).change({ name: basename(path), node: createDirectoryNode() });
    return first ?? path;
  }

  return {
    find,
    directory,
    makeDirectories,
    file(path) {
      const node = mustFind(path);
      return node.kind === "file" ? node : fail("EISDIR", path);
    },
    create(path, { exclusive }) {
      const parent = directory(dirname(path));
      const known = parent.entries.get(basename(path));
      if (known !== undefined) return exclusive || known.kind !== "file" ? fail("EEXIST", path) : known;
      const node = createFileNode(wallClock());
      parent.change({ name: basename(path), node });
      return node;
    },
    rename(from, to) {
      const node = mustFind(from);
      if (dirname(from) !== dirname(to)) fail("EXDEV", from);
      if (node.kind === "file") node.changedAt = wallClock();
      directory(dirname(from)).change({ name: basename(from), node: null }, { name: basename(to), node });
    },
    remove(path) {
      mustFind(path);
      directory(dirname(path)).change({ name: basename(path), node: null });
    },
    losePower: () => root.losePower(random),
  };
}

export function fail(code: string, what: string): never {
  throw Object.assign(new Error(`${code}: ${what}`), { code });
}
