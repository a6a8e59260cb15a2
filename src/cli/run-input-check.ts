import { errnoOf, NerifError } from "../batch/errors.ts";
import { type Fingerprint, fingerprint, looksSame, statInput } from "./run-input.ts";
import type { RunRecord } from "./run-record.ts";

const lookMs = 1_000;

/** Notices that somebody writes to an input that is read in place: lines would be cut out at wrong positions. */
export function createInputCheck(
  record: Pick<RunRecord, "input" | "limit">,
  now: () => number = () => performance.now(),
): () => Promise<NerifError | null> {
  const { path } = record.input;
  let known: Fingerprint = record.input;
  let lookedAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (path === null || record.limit !== null || now() - lookedAt < lookMs) return null;
    lookedAt = now();
    try {
      const found = await statInput(path);
      if (!looksSame(found, known)) known = await fingerprint(path);
      if (known.sha256 === record.input.sha256) return null;
    } catch (reason) {
      // A file system that is away for a while says nothing of the file: the next look may.
      if (!(reason instanceof NerifError) && errnoOf(reason) !== "ENOENT") return null;
      return changedMeanwhile(path, reason);
    }
    return changedMeanwhile(path);
  };
}

function changedMeanwhile(path: string, cause?: unknown): NerifError {
  return new NerifError(
    "input_changed",
    `Cannot go on with ${path}: it was changed or removed while it was read`,
    { param: "input", cause },
  );
}
