import { createHash, randomBytes } from "node:crypto";
import { checkRequestLine, readString } from "../batch/request-line.ts";
import { noTokens, type Tokens } from "../batch/usage.ts";
import { createIdSet, type IdSet } from "../engine/plan/id-set.ts";
import { forEachLine } from "../engine/plan/lines.ts";
import { createRepeatedBodies, type RepeatedBodies } from "./repeated-bodies.ts";
import { createResultCheck, type ResultContext, shownId } from "./result-check.ts";
import { createLineSet, type LineSet } from "./result-index.ts";
import { createProblemList, type ProblemList, type VerifiedFile } from "./verify-problems.ts";

/** The three files, each to be read from its start as often as it is called; null where there is none. */
export interface VerifySources {
  /** Null: whichever batch the first result names. */
  batchId: string | null;
  input: () => AsyncIterable<Buffer>;
  output: (() => AsyncIterable<Buffer>) | null;
  errors: (() => AsyncIterable<Buffer>) | null;
  /** Failed lines stand in the output, in their place. */
  merged: boolean;
  /** Lines that asked for the same got one answer, which counts as used once. */
  deduped: boolean;
  /** Longest input line in bytes. */
  maxLineBytes: number;
}

/** What the three files say. */
export interface Verification {
  /** Requests in the input. */
  total: number;
  /** Results with an answer that succeeded. */
  succeeded: number;
  /** Results that carry an error of an upstream. */
  failed: number;
  /** Results of lines that were never run, or not to their end, because the batch was ended before. */
  neverRun: number;
  /** Summed up over the answers that succeeded. */
  tokens: Tokens;
  bytes: Record<VerifiedFile, { bytes: number; sha256: string } | null>;
  problems: ProblemList;
}

/** An answer may have 64 MiB, and a request's id and the frame come on top. */
const maxResultBytes = 80 * 1024 * 1024;

/**
 * Holds result files against their input: every request has exactly one result, in the right file, in the order of
 * the requests, under its own `custom_id`, as whole lines of sound JSON. Memory grows by about twenty bytes for each
 * request, whatever the lines weigh.
 */
export async function verifyLines(sources: VerifySources): Promise<Verification> {
  const verification: Verification = {
    ...{ total: 0, succeeded: 0, failed: 0, neverRun: 0, tokens: noTokens() },
    bytes: { input: null, output: null, errors: null },
    problems: createProblemList(),
  };
  const repeated = sources.deduped ? createRepeatedBodies() : null;
  const requests = await readRequests(sources, { verification, repeated });
  const seen = createLineSet();
  const context = { ...sources, requests, repeated: repeated?.lines ?? null, seen, verification };
  for (const file of ["output", "errors"] as const) await readResults(file, context);
  if (countOf(verification) !== verification.total || verification.problems.count > 0) {
    await nameMissing(sources, { seen, verification });
  }
  return verification;
}

function countOf({ succeeded, failed, neverRun }: Verification): number {
  return succeeded + failed + neverRun;
}

async function readRequests(
  sources: VerifySources,
  { verification, repeated }: { verification: Verification; repeated: RepeatedBodies | null },
): Promise<IdSet> {
  const { problems } = verification;
  const requests = createIdSet(randomBytes(8));
  const source = taken("input", sources.input(), verification);
  const invalid = (physicalLine: number, message: string) =>
    problems.add({ code: "invalid_line", file: "input", line: physicalLine, message });
  await forEachLine(source, {
    maxLineBytes: sources.maxLineBytes,
    onLine(bytes, _offset, physicalLine) {
      const check = checkRequestLine(bytes);
      const id = check.ok ? check.request : check.id;
      if (id === null) invalid(physicalLine, "It has no custom_id that could be read");
      else {
        const utf8 = Buffer.from(readString(bytes, id.idStart, id.idEnd));
        requests.addBeside({ bytes: utf8, start: 0, end: utf8.length }, verification.total);
      }
      if (check.ok) repeated?.add(verification.total, { bytes, request: check.request });
      verification.total += 1;
    },
    onTooLong(_offset, length, physicalLine) {
      invalid(physicalLine, `It has ${length} bytes, more than ${sources.maxLineBytes}`);
      verification.total += 1;
    },
  });
  return requests;
}

async function readResults(file: "output" | "errors", context: ResultContext & VerifySources): Promise<void> {
  const source = context[file];
  if (source === null) return;
  const { problems } = context.verification;
  const check = createResultCheck(file, context);
  const tail = { last: -1 };
  let lines = 0;
  await forEachLine(taken(file, source(), context.verification, tail), {
    maxLineBytes: maxResultBytes,
    onLine(bytes, _offset, physicalLine) {
      lines += 1;
      check(bytes, physicalLine);
    },
    onTooLong(_offset, length, physicalLine) {
      lines += 1;
      const message = `It has ${length} bytes, more than any result`;
      problems.add({ code: "invalid_line", file, line: physicalLine, message });
    },
  });
  if (lines === 0) {
    const message = "It has no lines, and a file without lines is never written";
    problems.add({ code: "wrong_file", file, line: null, message });
  } else if (tail.last !== 0x0a) {
    problems.add({ code: "cut_off", file, line: null, message: "The last line has no end" });
  }
}

/** Passes chunks on, and notes their size, their sum and the last byte. */
async function* taken(
  file: VerifiedFile,
  source: AsyncIterable<Buffer>,
  { bytes: noted }: Verification,
  tail: { last: number } = { last: -1 },
): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of source) {
    hash.update(chunk);
    bytes += chunk.byteLength;
    tail.last = chunk.at(-1) ?? tail.last;
    yield chunk;
  }
  noted[file] = { bytes, sha256: hash.digest("hex") };
}

/** Reads the input once more, only where something is wrong. */
async function nameMissing(
  { input, maxLineBytes }: VerifySources,
  { seen, verification }: { seen: LineSet; verification: Verification },
): Promise<void> {
  let index = -1;
  const miss = (line: number, customId: string | null) => {
    index += 1;
    if (seen.has(index)) return;
    const message = `${customId === null ? `Request ${index}` : shownId(customId)} has no result`;
    verification.problems.add({ code: "missing_line", file: "input", line, message });
  };
  await forEachLine(input(), {
    maxLineBytes,
    onLine(bytes, _offset, physicalLine) {
      const check = checkRequestLine(bytes);
      const id = check.ok ? check.request : check.id;
      miss(physicalLine, id === null ? null : readString(bytes, id.idStart, id.idEnd));
    },
    onTooLong: (_offset, _length, physicalLine) => miss(physicalLine, null),
  });
}
