import { lineId } from "../batch/ids.ts";
import type { IdSet } from "../engine/plan/id-set.ts";
import type { LineSet } from "./result-index.ts";
import type { Verification } from "./verify-lines.ts";
import type { Problem } from "./verify-problems.ts";
import { addTokensOf, type ResultLine, readResult } from "./verify-result.ts";

export interface ResultContext {
  /** Null until the first result names it. */
  batchId: string | null;
  /** Failed lines may stand in the output. */
  merged: boolean;
  /** The index of each request by its `custom_id`. */
  requests: IdSet;
  /** Requests that got the answer of an earlier one; null where none did. */
  repeated: LineSet | null;
  /** Requests whose result was found; grows. */
  seen: LineSet;
  /** Counts and problems; grow. */
  verification: Verification;
}

type Verdict = Pick<Problem, "code" | "message"> | null;

/** Takes the lines of one result file, in their order. */
export function createResultCheck(
  file: "output" | "errors",
  context: ResultContext,
): (bytes: Buffer, physicalLine: number) => void {
  const { requests, seen, verification } = context;
  let before = -1;

  return (bytes, line) => {
    const result = readResult(bytes);
    if (typeof result === "string") {
      verification.problems.add({ code: "invalid_line", message: result, file, line });
      return;
    }
    const strange = belongs(result);
    const wrong = strange ?? stands(result);
    if (wrong !== null) verification.problems.add({ ...wrong, file, line });
    if (strange === null) count(result);
  };

  /** Null when it is the first result of one of the requests. */
  function belongs({ id, index, batch, customId }: ResultLine): Verdict {
    context.batchId ??= batch;
    const { batchId } = context;
    const name = shownId(customId);
    const foreign = (message: string): Verdict => ({ code: "foreign_line", message });
    if (id !== lineId(batchId, index)) return foreign(`Its id ${id} is not one of ${batchId}`);
    if (index >= verification.total) return foreign(`Its id names request ${index} of ${verification.total}`);
    if (!isRequest(customId, index)) return foreign(`${name} is not the request that its id names`);
    return seen.has(index) ? { code: "repeated_line", message: `${name} has a result already` } : null;
  }

  /** Null when it stands where it has to. */
  function stands({ index, customId, outcome }: ResultLine): Verdict {
    const name = shownId(customId);
    if (!context.merged && (outcome === "succeeded") !== (file === "output")) {
      return { code: "wrong_file", message: `${name} has ${outcome === "succeeded" ? "" : "not "}succeeded` };
    }
    return index < before ? { code: "out_of_order", message: `${name} comes after a later request` } : null;
  }

  function isRequest(customId: string, index: number): boolean {
    const utf8 = Buffer.from(customId);
    return requests.linesOf({ bytes: utf8, start: 0, end: utf8.length }).includes(index);
  }

  function count(result: ResultLine): void {
    seen.add(result.index);
    before = Math.max(before, result.index);
    verification[result.outcome] += 1;
    if (result.outcome === "succeeded" && !context.repeated?.has(result.index))
      addTokensOf(result, verification.tokens);
  }
}

export function shownId(customId: string): string {
  return JSON.stringify(customId.slice(0, 80));
}
