import { createHash } from "node:crypto";
import { NerifError } from "../batch/errors.ts";
import type { FileObject, StoredFile } from "../batch/file.ts";
import type { StoredPart, StoredUpload } from "../batch/upload.ts";
import type { ControlStore } from "../control/control-store.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import type { FileStore } from "../files/file-store.ts";
import { free, giveAway } from "./owned-bytes.ts";
import { unlimited } from "./quotas.ts";
import { type StagedFile, stageFile } from "./stage-file.ts";
import { badParts } from "./upload-params.ts";

interface AssemblyDeps {
  control: ControlStore;
  files: FileStore;
  clock: Clock;
  /** Refuses an upload that is not open any more. */
  assertOpen: () => Promise<StoredUpload>;
}

/**
 * Puts the parts of an upload together in the given order, checks what was announced, and completes it. A refusal
 * leaves the upload as it was.
 *
 * @throws NerifError `invalid_value` for part ids or `md5`, `invalid_request` for a size that was not announced,
 *   `upload_completed`, `upload_not_pending`, and those of a new file
 */
export async function assembleUpload(
  upload: StoredUpload,
  { part_ids, md5 }: { part_ids: readonly string[]; md5: string | null },
  deps: AssemblyDeps,
): Promise<FileObject> {
  const { control, files, clock, assertOpen } = deps;
  const parts = pick(part_ids, await control.uploadParts(upload.id));
  assertSize(upload, parts);
  const staged = await stageFile({
    control,
    files,
    clock,
    // Its bytes are counted as those of the parts, which go when the file is there.
    budget: unlimited,
    async record(file: StoredFile) {
      const owned = { ...file, api_key: upload.api_key };
      // DURABLE: one transaction completes the upload and shows the file, so no crash leaves one without the other.
      if (await control.completeUpload(upload.id, owned, unixSeconds(clock))) return;
      throw new NerifError("upload_not_pending", `Cannot complete upload ${upload.id}: it has just ended`);
    },
  });
  try {
    const sum = await copyParts(parts, staged, files);
    if (md5 !== null && md5 !== sum) throw wrongSum(md5, sum);
    const seconds = upload.file_lifetime;
    const expires_after = seconds === null ? null : { anchor: "created_at", seconds };
    return await staged.finish(upload.project, {
      filename: upload.filename,
      purpose: upload.purpose,
      expires_after,
    });
  } catch (reason) {
    await staged.discard();
    // Whoever ended the upload meanwhile may have removed the very bytes that could not be read: that is the reason.
    await assertOpen();
    throw reason;
  }
}

/** The parts that the ids name, in their order. */
function pick(ids: readonly string[], parts: readonly StoredPart[]): StoredPart[] {
  const byId = new Map(parts.map((part) => [part.id, part]));
  return ids.map((id) => {
    const part = byId.get(id);
    if (part === undefined) throw badParts(`this upload has no part '${id.slice(0, 80)}'`);
    return part;
  });
}

function assertSize(upload: StoredUpload, parts: readonly StoredPart[]): void {
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  if (bytes === upload.bytes) return;
  throw new NerifError(
    "invalid_request",
    `Cannot complete upload ${upload.id}: its parts have ${bytes} bytes, and ${upload.bytes} were announced`,
    { param: "part_ids" },
  );
}

/** Returns the MD5 of all bytes in hexadecimal. */
async function copyParts(
  parts: readonly StoredPart[],
  staged: StagedFile,
  files: FileStore,
): Promise<string> {
  const md5 = createHash("md5");
  for (const part of parts) {
    const reader = await files.open(part.id);
    try {
      if (reader.bytes !== part.bytes) {
        const sizes = `it has ${reader.bytes} bytes, not ${part.bytes}`;
        throw new NerifError("data_damaged", `Cannot read part ${part.id}: ${sizes}`);
      }
      for await (const chunk of reader.stream()) {
        giveAway(chunk);
        md5.update(chunk);
        await staged.write([chunk]);
        free(chunk.buffer);
      }
    } finally {
      await reader.close();
    }
  }
  return md5.digest("hex");
}

function wrongSum(announced: string, actual: string): NerifError {
  return new NerifError(
    "invalid_value",
    `Invalid value for 'md5': the parts have the MD5 checksum ${actual}, not ${announced}.`,
    { param: "md5" },
  );
}
