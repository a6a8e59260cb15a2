import type { Node } from "../world/directory-node.ts";
import { fail } from "../world/disk.ts";
import type { FileNode } from "../world/file-node.ts";

/** What the numbers of open files stand for. A file stays readable through its number when its name is gone. */
let openFiles: Node[] = [];

export function openNode(node: Node): number {
  return openFiles.push(node) - 1;
}

export function handleOf(fd: number): FileNode {
  const node = openFiles[fd];
  return node?.kind === "file" ? node : fail("EBADF", String(fd));
}

export function forgetOpenFiles(): void {
  openFiles = [];
}
