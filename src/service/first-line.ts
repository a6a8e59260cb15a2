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
 * file learns it at once. A byte order mark is skipped.
 */
export function createFirstLineCheck(): FirstLineCheck {
  let kept: Buffer[] = [];
  let bytes = 0;
  let verdict: "open" | "blank" | "good" | "bad" = "blank";
  let complete = false;

  function write(chunk: Uint8Array): void {
    if (complete) return;
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (rest.length > 0 && !complete) {
      const end = rest.indexOf(newline);
      keep(end === -1 ? rest : rest.subarray(0, end));
      if (end === -1) return;
      rest = rest.subarray(end + 1);
      judge();
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
    verdict = judgeLine(line);
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

function judgeLine(line: Buffer): "blank" | "good" | "bad" {
  try {
    // The decoder drops a byte order mark and refuses bytes that are not UTF-8.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(line);
    if (/^[ \t\r]*$/.test(text)) return "blank";
    JSON.parse(text);
    return "good";
  } catch {
    return "bad";
  }
}
