import { z } from "zod";
import { NerifError } from "../batch/errors.ts";
import { limits } from "../batch/limits.ts";
import { checkFileFormat, fileFields } from "./file-params.ts";
import { parseParams } from "./parse-params.ts";
import { storableText } from "./storable-text.ts";

/** What an upload in parts is created from. */
export const uploadParams = z.strictObject({
  ...fileFields,
  bytes: z.int().min(0).meta({ minimum: 1, maximum: limits.upload.bytes }),
  mime_type: storableText(256),
});

/** What completes an upload: its parts in the order of their bytes. */
export const completeParams = z.strictObject({
  part_ids: z.array(z.string()).max(limits.upload.parts),
  md5: z.string().transform(readMd5).nullish(),
});

export type CheckedUploadParams = z.output<typeof uploadParams>;

/** @throws NerifError `empty_file`, `file_too_large`, `invalid_file_format`, and those of `parseParams` */
export function checkUploadParams(params: unknown): CheckedUploadParams {
  const checked = parseParams(uploadParams, params, "create an upload");
  if (checked.bytes === 0) {
    const message = "Cannot create the upload: 'bytes' is 0, and an empty file cannot be used";
    throw new NerifError("empty_file", message, { param: "bytes" });
  }
  if (checked.bytes > limits.upload.bytes) throw new NerifError("file_too_large", "File is too large.");
  checkFileFormat(checked);
  return checked;
}

/** `md5` comes back in lower-case hexadecimal. @throws NerifError those of `parseParams` */
export function checkCompleteParams(params: unknown): { part_ids: string[]; md5: string | null } {
  const { part_ids, md5 = null } = parseParams(completeParams, params, "complete an upload");
  const seen = new Set<string>();
  for (const id of part_ids) {
    if (seen.has(id)) throw badParts(`the part '${id.slice(0, 80)}' is there twice`);
    seen.add(id);
  }
  return { part_ids, md5 };
}

/** The refusal of a list of parts. */
export function badParts(reason: string): NerifError {
  return new NerifError("invalid_value", `Invalid value for 'part_ids': ${reason}.`, { param: "part_ids" });
}

/** OpenAI does not say how a checksum is written; both usual ways are understood. */
function readMd5(text: string): string {
  if (/^[0-9a-f]{32}$/i.test(text)) return text.toLowerCase();
  if (/^[A-Za-z0-9+/]{22}==$/.test(text)) return Buffer.from(text, "base64").toString("hex");
  throw new NerifError(
    "invalid_value",
    "Invalid value for 'md5': expected an MD5 checksum, 32 hexadecimal digits or 24 characters of base64.",
    { param: "md5" },
  );
}
