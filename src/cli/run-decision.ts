import { NerifError } from "../batch/errors.ts";
import type { Fingerprint } from "./run-input.ts";
import type { RunPlaces } from "./run-places.ts";
import type { RunRecord } from "./run-record.ts";

/** What is asked for now, to be held against what the store has. */
export interface WantedRun {
  places: RunPlaces;
  input: Fingerprint;
  limit: number | null;
  strict: boolean;
  dedupe: boolean;
  groupByPrefix: boolean;
  force: boolean;
}

export type Decision = "new" | "resume" | "finished";

/**
 * Whether a run begins, goes on or is done already.
 *
 * @throws NerifError `input_changed`, `output_exists` when the store belongs to another run
 */
export function decide(record: RunRecord | null, wanted: WantedRun): Decision {
  if (record === null || wanted.force) return "new";
  const output = record.output ?? "stdout";
  const anew = "--force starts anew, -o writes elsewhere";
  if (record.input.path !== wanted.places.input) {
    const of = record.input.path ?? "stdin";
    throw new NerifError("output_exists", `Cannot write ${output}: it belongs to a run of ${of}; ${anew}`, {
      param: "output",
    });
  }
  // First: with another limit the input that is compared is another one too.
  const differs = differences(record, wanted);
  if (differs === null) {
    if (record.input.sha256 !== wanted.input.sha256) throw changed(record, wanted.input, anew);
    return record.finished === null ? "resume" : "finished";
  }
  throw new NerifError("output_exists", `Cannot write ${output}: it belongs to a run ${differs}; ${anew}`, {
    param: "output",
  });
}

function changed(record: RunRecord, input: Fingerprint, anew: string): NerifError {
  const sizes =
    record.input.bytes === input.bytes ? "" : ` (${record.input.bytes} bytes then, ${input.bytes} now)`;
  if (record.input.path === null) {
    const output = record.output ?? "stdout";
    return new NerifError(
      "output_exists",
      `Cannot write ${output}: it belongs to a run of another input${sizes}; ${anew}`,
      {
        param: "output",
      },
    );
  }
  return new NerifError(
    "input_changed",
    `Cannot go on with ${record.input.path}: it has changed since its run began${sizes}; ${anew}`,
    { param: "input" },
  );
}

function differences(record: RunRecord, wanted: WantedRun): string | null {
  const { places, limit, strict, dedupe, groupByPrefix } = wanted;
  if (record.limit !== limit)
    return record.limit === null ? "without --limit" : `with --limit ${record.limit}`;
  if (record.strict !== strict) return record.strict ? "with --strict" : "without --strict";
  if (record.dedupe !== dedupe) return record.dedupe ? "with --dedupe" : "without --dedupe";
  if (record.group_by_prefix !== groupByPrefix)
    return record.group_by_prefix ? "with --group-by-prefix" : "without --group-by-prefix";
  // Finished or not: whether failed lines stand among the results is settled when those are written.
  if (record.errors === places.errors) return null;
  return `with --errors ${record.errors ?? "-"}`;
}
