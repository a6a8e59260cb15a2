import type { Quotas } from "../batch/api-key.ts";
import { NerifError } from "../batch/errors.ts";
import { newId } from "../batch/ids.ts";
import { limits } from "../batch/limits.ts";
import type { StoredUpload, UploadPartObject } from "../batch/upload.ts";
import type { ControlStore } from "../control/control-store.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import type { FileStore } from "../files/file-store.ts";
import type { ByteBudget } from "./quotas.ts";
import { stageBytes } from "./staged-bytes.ts";

const { partBytes, parts: mostParts } = limits.upload;

/** A part whose bytes are on their way to the disk. */
export interface StagedPart {
  /** @throws NerifError `file_too_large`, `quota_exceeded`, `invalid_request` when the upload has no room for it,
   *   `disk_full` */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /**
   * Makes the part durable and adds it to its upload. When it is refused its bytes are discarded.
   * @throws NerifError `upload_not_found`, `upload_not_pending`, `invalid_request` when the upload has no room
   */
  finish(): Promise<UploadPartObject>;
  /** Forgets the bytes unless they are a part. Safe to call at any time and more than once. */
  discard(): Promise<void>;
}

interface PartDeps {
  control: ControlStore;
  files: FileStore;
  clock: Clock;
  upload: StoredUpload;
  /** Refuses an upload that is not open any more. */
  assertOpen: () => Promise<StoredUpload>;
  budget: ByteBudget;
  /** Those of the key that began the upload. */
  quotas: Quotas | undefined;
}

export async function stagePart({
  control,
  files,
  clock,
  upload,
  assertOpen,
  budget,
  quotas,
}: PartDeps): Promise<StagedPart> {
  const id = newId("part");
  const room = roomOf(upload);
  assertRoom(upload, 0);
  const staged = await stageBytes(id, { files, budget });
  let bytes = 0;

  async function publish(): Promise<UploadPartObject> {
    // DURABLE: the bytes are synced before the row that names them is written, and the row before the answer.
    await staged.commit();
    const now = unixSeconds(clock);
    const part = { id, upload_id: upload.id, bytes, created_at: now };
    const insert = () => control.insertPart(part, { now, parts: mostParts, bytes: room, quotas });
    if (!(await staged.name(insert))) {
      assertRoom(await assertOpen(), bytes);
      throw full(upload);
    }
    staged.keep();
    return { id, object: "upload.part", created_at: now, upload_id: upload.id };
  }

  return {
    async write(chunks) {
      bytes = staged.take(chunks);
      if (bytes > partBytes) {
        throw new NerifError(
          "file_too_large",
          `Cannot store the part: it is larger than ${partBytes} bytes`,
          { param: "data" },
        );
      }
      assertRoom(upload, bytes);
      await staged.write(chunks);
    },

    async finish() {
      try {
        return await publish();
      } catch (error) {
        await staged.discard();
        throw error;
      }
    },

    discard: staged.discard,
  };
}

/** Bytes that all parts of an upload may have: room to send each a second time, after a connection that broke. */
function roomOf({ bytes }: StoredUpload): number {
  return 2 * bytes + partBytes;
}

function assertRoom(upload: StoredUpload, bytes: number): void {
  if (upload.part_count >= mostParts) {
    throw new NerifError(
      "invalid_request",
      `Cannot store the part: upload ${upload.id} has ${mostParts} parts, and may not have more`,
    );
  }
  if (upload.part_bytes + bytes > roomOf(upload)) throw full(upload);
}

function full(upload: StoredUpload): NerifError {
  return new NerifError(
    "invalid_request",
    `Cannot store the part: the parts of upload ${upload.id}, which announced ${upload.bytes} bytes, may have ${roomOf(upload)} bytes altogether`,
    { param: "data" },
  );
}
