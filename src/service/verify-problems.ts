/** The files of a batch, as problems name them. */
export type VerifiedFile = "input" | "output" | "errors";

export const problemCodes = [
  /** A request has no result. */
  "missing_line",
  /** A request has more than one result. */
  "repeated_line",
  /** A result answers no request of this input, or not the one that it names. */
  "foreign_line",
  /** Results are not in the order of the requests. */
  "out_of_order",
  /** A line is not what a line of this file can be. */
  "invalid_line",
  /** The file does not end in a whole line. */
  "cut_off",
  /** The file is not there though it is named, or there though it has no lines. */
  "wrong_file",
  /** Size or SHA-256 are not what was recorded. */
  "wrong_bytes",
  /** The batch's counts or usage are not what its files say. */
  "wrong_count",
] as const;

export interface Problem {
  code: (typeof problemCodes)[number];
  /** Null: the batch's record. */
  file: VerifiedFile | null;
  /** 1-based, blank lines included; null when it is about the file as a whole. */
  line: number | null;
  message: string;
}

/** Collects problems, and keeps only the first ones. */
export interface ProblemList {
  add(problem: Problem): void;
  readonly first: Problem[];
  readonly count: number;
}

/** Problems that are shown; the rest is only counted. */
const shown = 100;

export function createProblemList(): ProblemList {
  const first: Problem[] = [];
  let count = 0;
  return {
    first,
    get count() {
      return count;
    },
    add(problem) {
      count += 1;
      if (first.length < shown) first.push(problem);
    },
  };
}
