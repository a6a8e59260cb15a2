import type { FileNode, Sync } from "./file-node.ts";
import type { Random } from "./random.ts";

export type Node = FileNode | DirectoryNode;

/** Names that appear and vanish together: a rename is one change. */
type Change = readonly { name: string; node: Node | null }[];

/** A directory: the names that everybody sees, and which of them would be there after a power cut. */
export interface DirectoryNode {
  readonly kind: "directory";
  readonly entries: ReadonlyMap<string, Node>;
  change(...change: Change): void;
  beginSync(): Sync;
  losePower(random: Random): void;
}

export function createDirectoryNode(): DirectoryNode {
  let entries = new Map<string, Node>();
  let durable = new Map<string, Node>();
  let unsynced: Change[] = [];

  return {
    kind: "directory",
    get entries() {
      return entries;
    },
    change(...change) {
      apply(entries, change);
      unsynced.push(change);
    },
    beginSync() {
      const covered = new Set(unsynced);
      return {
        succeed() {
          for (const change of covered) if (unsynced.includes(change)) apply(durable, change);
          unsynced = unsynced.filter((change) => !covered.has(change));
        },
        // Names go through the log of the file system, which takes nothing more when it cannot write.
        fail() {},
      };
    },
    losePower(random) {
      // Journaling file systems keep the order of names; POSIX does not promise it.
      const inOrder = random.chance(0.7);
      const kept = random.int(0, unsynced.length);
      for (const [i, change] of unsynced.entries()) {
        if (inOrder ? i < kept : random.chance(0.5)) apply(durable, change);
      }
      unsynced = [];
      entries = durable;
      durable = new Map(entries);
      for (const node of entries.values()) node.losePower(random);
    },
  };
}

function apply(entries: Map<string, Node>, change: Change): void {
  for (const { name, node } of change) {
    if (node === null) entries.delete(name);
    else entries.set(name, node);
  }
}
