import { createHash } from "node:crypto";
import type { FileObject } from "../batch/file.ts";
import type { StoredAnswer } from "../control/idempotency-records.ts";
import { answerAgain, reused } from "./answer-once.ts";
import { askedFile, type StagedFile } from "./stage-file.ts";

/**
 * A file that comes under an idempotency key which has an answer already: it is only looked at, whether it is the same one
 * again, and nothing of it is stored. So no quota has to have room for it, though the first one may have used it up.
 */
export function repeatedFile(first: StoredAnswer): StagedFile {
  const hash = createHash("sha256");
  // What is larger than what was created can be told from it before its end. Other things than files have no size.
  const { bytes: most = 0 } = JSON.parse(first.answer_json) as { bytes?: number };
  let bytes = 0;

  return {
    async write(chunks) {
      for (const chunk of chunks) {
        bytes += chunk.length;
        if (bytes > most) throw reused(first.key);
        hash.update(chunk);
      }
    },
    async finish(_project, params, options = {}) {
      const sha256 = hash.copy().digest("hex");
      return answerAgain<FileObject>(first, { ...askedFile(params, sha256), options });
    },
    async discard() {},
  };
}
