import { simulateAnswer } from "../../../src/upstreams/simulator/answers.ts";
import type { LoggedRequest } from "../../../src/upstreams/simulator/request-log.ts";
import type { KnownRequest } from "./requests.ts";

export interface Results {
  /** Null: there is no such file. */
  output: string | null;
  errors: string | null;
}

export interface Calls {
  /** Calls by the sum of their body. */
  byDigest: Map<string, LoggedRequest[]>;
  /** The seed that the witness answers by. */
  seed: number;
}

/** What the result files say of one line. */
export interface CheckedCounts {
  completed: number;
  /** Lines of the error file that carry an answer. */
  failed: number;
  neverRun: number;
}

/**
 * Holds result files against what was asked and what the witness answered: each line once in one file (I3), in
 * input order, with the very answer that the witness gave for that very body (I4).
 *
 * @returns the violations, and the lines counted
 */
export function checkResults(
  requests: readonly KnownRequest[],
  results: Results,
  { byDigest, seed }: Calls,
): { violations: string[]; counts: CheckedCounts } {
  const violations: string[] = [];
  const counts: CheckedCounts = { completed: 0, failed: 0, neverRun: 0 };
  const places = new Map(requests.map((request, index) => [request.customId, index]));
  const seen = new Set<string>();

  for (const name of ["output", "errors"] as const) {
    const text = results[name];
    if (text === null) continue;
    if (text === "" || !text.endsWith("\n"))
      violations.push(`I3 the ${name} file does not end in a whole line`);
    let before = -1;
    for (const line of text.split("\n").slice(0, -1)) {
      const parsed = parse(line);
      const place = parsed === null ? undefined : places.get(parsed.custom_id);
      if (parsed === null || place === undefined) {
        violations.push(`I3 the ${name} file has a line that nobody asked for: ${line.slice(0, 120)}`);
        continue;
      }
      if (seen.has(parsed.custom_id)) violations.push(`I3 ${parsed.custom_id} has two results`);
      if (place < before) violations.push(`I3 ${parsed.custom_id} is out of order`);
      seen.add(parsed.custom_id);
      before = place;
      const request = requests[place] as KnownRequest;
      const calls = byDigest.get(request.digest) ?? [];
      const wrong =
        name === "output"
          ? checkAnswer(line, parsed, { request, calls, seed })
          : checkFailure(parsed, { calls });
      if (wrong !== null) violations.push(`I4 ${parsed.custom_id}: ${wrong}`);
      if (name === "output") counts.completed += 1;
      else if (parsed.error !== null && /^batch_(expired|cancelled)$/.test(parsed.error.code))
        counts.neverRun += 1;
      else counts.failed += 1;
    }
  }
  for (const { customId } of requests)
    if (!seen.has(customId)) violations.push(`I3 ${customId} has no result`);
  return { violations, counts };
}

interface ResultLine {
  custom_id: string;
  response: { status_code: number; body: unknown } | null;
  error: { code: string } | null;
}

function checkAnswer(
  line: string,
  { response, error }: ResultLine,
  { request, calls, seed }: { request: KnownRequest; calls: LoggedRequest[]; seed: number },
): string | null {
  if (error !== null || response?.status_code !== 200) return "a line of the output file has not succeeded";
  if (!calls.some(({ status }) => status === 200)) return "the witness never answered it";
  const settings = { seed, models: null, dimensions: 256 };
  const { body } = simulateAnswer(request.endpoint, { text: request.body, digest: request.digest, settings });
  return line.includes(`,"body":${body}},"error":null}`) ? null : "its answer is not the one that was given";
}

function checkFailure({ response, error }: ResultLine, { calls }: { calls: LoggedRequest[] }): string | null {
  if (error === null) return "a line of the error file has no error";
  if (response === null) return null;
  const given = calls.some(({ status }) => status === response.status_code);
  return given ? null : `the witness never answered it with ${response.status_code}`;
}

function parse(line: string): ResultLine | null {
  try {
    return JSON.parse(line) as ResultLine;
  } catch {
    return null;
  }
}
