import { randomBytes } from "node:crypto";
import type { Endpoint } from "../batch/limits.ts";
import type { RequestLine } from "../batch/request-line.ts";
import { createIdSet, type IdSet } from "../engine/plan/id-set.ts";
import { mayShareAnswer } from "../engine/plan/same-bodies.ts";
import { createLineSet, type LineSet } from "./result-index.ts";

/** Which requests of a file ask for what an earlier one asks for, where such requests get one answer. */
export interface RepeatedBodies {
  /** Takes the next request. */
  add(line: number, request: { bytes: Buffer; request: RequestLine }): void;
  readonly lines: LineSet;
}

/**
 * By hashes alone, for a check that reads its files only from their start: two sets under keys of their own have to
 * name the same line, so that not one in 10^10 files of ten million lines has a false hit.
 */
export function createRepeatedBodies(): RepeatedBodies {
  const lines = createLineSet();
  const sets = new Map<Endpoint, [IdSet, IdSet]>();

  function setsOf(endpoint: Endpoint): [IdSet, IdSet] {
    const known = sets.get(endpoint) ?? [createIdSet(randomBytes(8)), createIdSet(randomBytes(8))];
    sets.set(endpoint, known);
    return known;
  }

  return {
    lines,
    add(line, { bytes, request }) {
      if (!mayShareAnswer(request, bytes)) return;
      const body = { bytes, start: request.bodyStart, end: request.bodyEnd };
      const [one, other] = setsOf(request.endpoint);
      const before = other.linesOf(body);
      if (one.linesOf(body).some((earlier) => before.includes(earlier))) {
        lines.add(line);
        return;
      }
      one.addBeside(body, line);
      other.addBeside(body, line);
    },
  };
}
