import type { BatchError } from "../../batch/batch.ts";
import { limits } from "../../batch/limits.ts";
import { type LineError, lineErrors } from "../../batch/line-errors.ts";

/** What is wrong with a file, in its order: the first `limits.reportedErrors` are kept, the rest is counted. */
export interface ErrorList {
  /** Adds the errors of the next bad line (its physical number). */
  add(line: number, errors: readonly LineError[]): void;
  /** Adds an error to each of some lines since the last call of `settle`, and puts all of these in order. */
  settle(lines: readonly number[], error: LineError): void;
  /** Adds an error of the file as a whole; it stands before those of the lines. */
  addForFile(error: LineError): void;
  /** How many were added, also those that are not kept. */
  readonly count: number;
  /** All that are kept, and one more that says how many are not. */
  all(): BatchError[];
}

export function createErrorList(): ErrorList {
  const forFile: BatchError[] = [];
  const kept: BatchError[] = [];
  let fresh: BatchError[] = [];
  let total = 0;

  return {
    add(line, errors) {
      total += errors.length;
      const room = limits.reportedErrors - kept.length - fresh.length;
      for (const error of errors.slice(0, Math.max(0, room))) fresh.push(atLine(line, error));
    },
    settle(lines, error) {
      total += lines.length;
      const late = lines.slice(0, limits.reportedErrors).map((line) => atLine(line, error));
      // Of two rows in order, the first thousand are among the first thousand of each.
      const ordered = [...fresh, ...late].sort((a, b) => Number(a.line) - Number(b.line));
      kept.push(...ordered.slice(0, limits.reportedErrors - kept.length));
      fresh = [];
    },
    addForFile(error) {
      forFile.push(atLine(null, error));
    },
    get count() {
      return total + forFile.length;
    },
    all() {
      const listed = [...forFile, ...kept, ...fresh];
      const more = total - kept.length - fresh.length;
      return more === 0 ? listed : [...listed, atLine(null, lineErrors.more(more))];
    },
  };
}

function atLine(line: number | null, { code, message, param }: LineError): BatchError {
  return { code, line, message, param };
}
