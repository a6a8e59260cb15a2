import { NerifError } from "../batch/errors.ts";

/** A first line beyond this is not looked at; validation looks at every line in any case. */
const longest = 1024 * 1024;

const newline = 0x0a;

export interface FirstLineCheck {
  /** Takes the bytes of the file in order; keeps only what belongs to the first line. */
  write(chunk: Uint8Array): void;
  /** @throws NerifError `empty_file`, `invalid_file_format` */
  check(): void;
}

/**
 * Looks whether the first line of an upload that is not blank is JSON, so that somebody who picked the wrong
 * file learns it at once. A byte order mark at the start of the file is skipped.
 */
export function createFirstLineCheck(): FirstLineCheck {
  let kept: Buffer[] = [];
  let bytes = 0;
  /** Whether the line that is kept begins the file. */
  let isStart = true;
  let verdict: "open" | "blank" | "good" | "bad" = "blank";
  let complete = false;

  function write(chunk: Uint8Array): void {
    if (complete) return;
    const all = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let at = 0; at < all.length && !complete; ) {
      // Byte by byte: a file may begin with any number of blank lines, and decoding each would hold up everybody.
      const text = bytes === 0 ? textIn(all, at) : at;
      if (text > at) isStart = false;
      const end = all.indexOf(newline, text);
      keep(all.subarray(text, end === -1 ? all.length : end));
      if (end === -1) return;
      at = end + 1;
      if (!complete) judge();
    }
  }

  function keep(part: Buffer): void {
    bytes += part.length;
    if (bytes > longest) {
      complete = true;
      verdict = "good";
      kept = [];
    } else if (part.length > 0) {
      // Copied: the writer may reuse the bytes of a chunk after it was written.
      kept.push(Buffer.from(part));
    }
  }

  function judge(): void {
    const line = Buffer.concat(kept);
    kept = [];
    bytes = 0;
    verdict = judgeLine(line, isStart);
    isStart = false;
    complete = verdict !== "blank";
  }

  return {
    write,
    check() {
      if (!complete) judge();
      if (verdict === "blank")
        throw new NerifError("empty_file", "Cannot use the file: it is empty", { param: "file" });
      if (verdict === "bad") {
        throw new NerifError(
          "invalid_file_format",
          "Invalid file format. The first line is not valid JSON; a batch input must be .jsonl, one JSON object per line",
        );
      }
    },
  };
}

/** Where the first byte is that is not blank, or the end. */
function textIn(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && isBlank(bytes[at])) at += 1;
  return at;
}

function isBlank(byte: number | undefined): boolean {
  return byte === newline || byte === 0x20 || byte === 0x09 || byte === 0x0d;
}

function judgeLine(line: Buffer, isStart: boolean): "blank" | "good" | "bad" {
  try {
    // The decoder refuses bytes that are not UTF-8. A byte order mark that it leaves is no JSON.
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: !isStart }).decode(line);
    if (/^[ \t\r]*$/.test(text)) return "blank";
    JSON.parse(text);
    return "good";
  } catch {
    return "bad";
  }
}
