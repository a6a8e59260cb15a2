/** Blocks are taken from and go back to one list, so that writing results leaves no garbage. */
const blockBytes = 512 * 1024;

/** Memory for copies that are all given up together. */
export interface Arena {
  /** Copies bytes; the copy is good until `release`. */
  copy(bytes: Uint8Array): Buffer;
  /** Gives the memory back for the next arena of the same pool. */
  release(): void;
}

export type ArenaPool = () => Arena;

/** A pool whose arenas share their memory, one after another. */
export function createArenaPool(): ArenaPool {
  const spare: Buffer[] = [];
  return () => {
    const blocks: Buffer[] = [];
    let block: Buffer = Buffer.alloc(0);
    let used = 0;

    function nextBlock(): void {
      block = spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
      blocks.push(block);
      used = 0;
    }

    return {
      copy(bytes) {
        if (bytes.length > blockBytes) return Buffer.from(bytes);
        if (used + bytes.length > block.length) nextBlock();
        const copy = block.subarray(used, used + bytes.length);
        copy.set(bytes);
        used += bytes.length;
        return copy;
      },
      release() {
        spare.push(...blocks.splice(0));
        block = Buffer.alloc(0);
        used = 0;
      },
    };
  };
}
