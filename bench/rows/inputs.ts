import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Kind, writeInput } from "../measure/input.ts";
import type { Bench } from "../row.ts";

/** The input files of one row: made when they are first wanted, gone with it. */
export interface Inputs extends Disposable {
  of(lines: number): string;
}

export function createInputs(bench: Bench, options: { lineBytes: number; kind?: Kind }): Inputs {
  const made = new Map<number, string>();
  return {
    of(lines) {
      const known = made.get(lines);
      if (known !== undefined) return known;
      const path = join(bench.scratch, `${options.kind ?? "chat"}-${options.lineBytes}-${lines}.jsonl`);
      writeInput(path, { ...options, lines });
      made.set(lines, path);
      return path;
    },
    [Symbol.dispose]() {
      for (const path of made.values()) rmSync(path);
    },
  };
}
