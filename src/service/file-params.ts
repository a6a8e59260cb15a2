import { z } from "zod";
import { NerifError } from "../batch/errors.ts";
import { assertId } from "../batch/ids.ts";
import { type ExpiresAfter, expiresAfter } from "./expires-after.ts";
import { parseParams } from "./parse-params.ts";
import { missingParameter } from "./refusals.ts";
import { storableText } from "./storable-text.ts";

/** Purposes that a client may give a file; `batch_output` is for Nerif's own files and those of the library. */
export const uploadPurposes = ["fine-tune", "assistants", "batch", "user_data", "vision", "evals"] as const;

const longestName = 1_024;

/** What a client says about a new file, whether its bytes come at once or in parts. */
export const fileFields = {
  filename: storableText(longestName),
  purpose: z
    .string()
    .meta({ enum: [...uploadPurposes] })
    .transform(checkUploadPurpose),
  expires_after: expiresAfter,
};

const ownFields = z.object({
  ...fileFields,
  purpose: z.string().transform((name) => (name === "batch_output" ? name : checkUploadPurpose(name))),
});

export interface FileParams {
  filename: string;
  purpose: string;
  expires_after?: { anchor: string; seconds: number } | null | undefined;
  /** An id of the caller's own choice. Default: a new one. */
  id?: string | undefined;
}

/** Checks all that can be told about a new file without its bytes. */
export function checkFileParams({ id, ...params }: FileParams): { expiresAfter: ExpiresAfter | null } {
  const { filename, purpose, expires_after } = parseParams(ownFields, params, "create a file");
  checkFileFormat({ filename, purpose });
  if (id !== undefined) assertId("file", id, "id");
  return { expiresAfter: expires_after };
}

/** @throws NerifError `invalid_file_format` */
export function checkFileFormat({ filename, purpose }: { filename: string; purpose: string }): void {
  if (purpose === "batch" && !filename.toLowerCase().endsWith(".jsonl")) {
    throw new NerifError("invalid_file_format", "Invalid file format for Batch API. Must be .jsonl");
  }
}

/**
 * Refuses purposes that a client may not give, in OpenAI's words.
 *
 * @throws NerifError `missing_required_parameter`, `invalid_request`
 */
export function checkUploadPurpose(purpose: string | undefined): string {
  if (purpose === undefined) throw missingParameter("purpose");
  if ((uploadPurposes as readonly string[]).includes(purpose)) return purpose;
  const known = uploadPurposes.map((name) => `'${name}'`).join(", ");
  throw new NerifError("invalid_request", `'${purpose.slice(0, 80)}' is not one of [${known}] - 'purpose'`, {
    param: "purpose",
  });
}
