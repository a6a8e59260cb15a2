import type { Random } from "./random.ts";

interface Write {
  at: number;
  bytes: Buffer;
}

/** A sync that is under way. */
export interface Sync {
  succeed(): void;
  /** The system forgets what it could not write: everybody reads it still, and no later sync writes it. */
  fail(): void;
}

/** A file: what everybody reads, and what of it would be there after a power cut. */
export interface FileNode {
  readonly kind: "file";
  /** What everybody reads. */
  readonly bytes: Buffer;
  changedAt: number;
  write(at: number, bytes: Uint8Array): void;
  /** Notes what has been written so far: that, and no more, is durable when the sync succeeds. */
  beginSync(): Sync;
  /** Whether everything that was written is durable. */
  readonly isSynced: boolean;
  /** Keeps of what is not durable some writes, the last of them perhaps torn. */
  losePower(random: Random): void;
}

export function createFileNode(changedAt: number): FileNode {
  let bytes: Buffer = Buffer.alloc(0);
  let durable: Buffer = Buffer.alloc(0);
  let unsynced: Write[] = [];

  const node: FileNode = {
    kind: "file",
    get bytes() {
      return bytes;
    },
    changedAt,
    write(at, more) {
      const write = { at, bytes: Buffer.from(more) };
      bytes = written(bytes, write);
      unsynced.push(write);
    },
    beginSync() {
      const covered = new Set(unsynced);
      function forget(): void {
        unsynced = unsynced.filter((write) => !covered.has(write));
      }
      return {
        succeed() {
          for (const write of covered) if (unsynced.includes(write)) durable = written(durable, write);
          forget();
        },
        fail: forget,
      };
    },
    get isSynced() {
      return unsynced.length === 0;
    },
    losePower(random) {
      const inOrder = random.chance(0.7);
      const kept = random.int(0, unsynced.length);
      for (const [i, write] of unsynced.entries()) {
        const whole = inOrder ? i < kept : random.chance(0.5);
        if (whole) durable = written(durable, write);
        else for (const piece of torn(write, inOrder, random)) durable = written(durable, piece);
        if (!whole && inOrder) break;
      }
      unsynced = [];
      bytes = durable;
    },
  };
  return node;
}

/** Sectors are small here, as are the files. */
const sectorBytes = 64;

/** What is left of a write: its beginning, or any of its sectors. */
function torn({ at, bytes }: Write, inOrder: boolean, random: Random): Write[] {
  if (inOrder) return [{ at, bytes: bytes.subarray(0, random.int(0, bytes.length)) }];
  const sectors = Array.from({ length: Math.ceil(bytes.length / sectorBytes) }, (_, i) => i * sectorBytes);
  return sectors
    .filter(() => random.chance(0.5))
    .map((from) => ({ at: at + from, bytes: bytes.subarray(from, from + sectorBytes) }));
}

function written(content: Buffer, { at, bytes }: Write): Buffer {
  if (bytes.length === 0) return content;
  // A hole reads as zeros.
  const all = Buffer.alloc(Math.max(content.length, at + bytes.length));
  content.copy(all);
  bytes.copy(all, at);
  return all;
}
