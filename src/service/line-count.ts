const newline = 0x0a;

/** So many bytes of a line are looked at one by one before its end is searched for: short lines end in them. */
const nearby = 32;

export interface LineCount {
  /** Takes the bytes of the file in order. */
  write(chunk: Uint8Array): void;
  lines(): number;
}

/**
 * Counts the lines of a file that are not blank while its bytes come, and keeps none of them. A line is blank that
 * has nothing but spaces, tabs and carriage returns; what stands behind the last newline is a line. A byte order
 * mark counts as text, so a first line that is nothing else is one more than a batch of the file has.
 */
export function createLineCount(): LineCount {
  let lines = 0;
  let counted = false;

  return {
    write(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (counted) {
          at = endOfLine(chunk, at);
          if (at === chunk.length) return;
          counted = false;
        } else if (isText(chunk[at])) {
          counted = true;
          lines += 1;
        }
        at += 1;
      }
    },
    lines: () => lines,
  };
}

/** Where the next newline is, or the end of the chunk. */
function endOfLine(chunk: Uint8Array, from: number): number {
  const until = Math.min(from + nearby, chunk.length);
  for (let at = from; at < until; at += 1) if (chunk[at] === newline) return at;
  const found = chunk.indexOf(newline, until);
  return found === -1 ? chunk.length : found;
}

function isText(byte: number | undefined): boolean {
  return byte !== newline && byte !== 0x20 && byte !== 0x09 && byte !== 0x0d;
}
