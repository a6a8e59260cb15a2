import { z } from "zod";
import { NerifError } from "../batch/errors.ts";
import { assertId } from "../batch/ids.ts";
import { type ExpiresAfter, expiresAfter } from "./expires-after.ts";
import { parseParams } from "./parse-params.ts";

/** Purposes that a client may give a file; `batch_output` is for Nerif's own files and those of the library. */
export const uploadPurposes = ["fine-tune", "assistants", "batch", "user_data", "vision", "evals"] as const;

const longestName = 1_024;

const fileFields = z.object({ expires_after: expiresAfter });

export interface FileParams {
  filename: string;
  purpose: string;
  expires_after?: { anchor: string; seconds: number } | null | undefined;
  /** An id of the caller's own choice. Default: a new one. */
  id?: string | undefined;
}

/**
 * Refuses purposes that a client may not give, in OpenAI's words.
 *
 * @throws NerifError `missing_required_parameter`, `invalid_request`
 */
export function checkUploadPurpose(purpose: string | undefined): string {
  if (purpose === undefined) {
    throw new NerifError("missing_required_parameter", "Missing required parameter: 'purpose'.", {
      param: "purpose",
    });
  }
  if ((uploadPurposes as readonly string[]).includes(purpose)) return purpose;
  const known = uploadPurposes.map((name) => `'${name}'`).join(", ");
  throw new NerifError("invalid_request", `'${purpose.slice(0, 80)}' is not one of [${known}] - 'purpose'`, {
    param: "purpose",
  });
}

/** Checks all that can be told about a new file without its bytes. */
export function checkFileParams(params: FileParams): { expiresAfter: ExpiresAfter | null } {
  const { filename, purpose, id } = params;
  if (purpose !== "batch_output") checkUploadPurpose(purpose);
  if (typeof filename !== "string" || filename === "") {
    throw new NerifError("missing_required_parameter", "Missing required parameter: 'filename'.", {
      param: "filename",
    });
  }
  if (filename.length > longestName) {
    throw new NerifError(
      "string_above_max_length",
      `Invalid 'filename': string too long. Expected a string with maximum length ${longestName}, but got a string with length ${filename.length} instead.`,
      { param: "filename" },
    );
  }
  if (purpose === "batch" && !filename.toLowerCase().endsWith(".jsonl")) {
    throw new NerifError("invalid_file_format", "Invalid file format for Batch API. Must be .jsonl");
  }
  if (id !== undefined) assertId("file", id, "id");
  const given = parseParams(fileFields, { expires_after: params.expires_after }, "create a file");
  return { expiresAfter: given.expires_after };
}
