import type { ControlStore } from "../../control/control-store.ts";
import type { FileStore } from "../../files/file-store.ts";

const removedAtOnce = 8;

/** Removes the parts of an upload that is not open any more: bytes first, since only the rows tell where they are. */
export async function removeParts(
  uploadId: string,
  { control, files }: { control: ControlStore; files: FileStore },
): Promise<void> {
  const parts = await control.uploadParts(uploadId);
  for (let from = 0; from < parts.length; from += removedAtOnce) {
    await Promise.all(parts.slice(from, from + removedAtOnce).map(({ id }) => files.delete(id)));
  }
  await control.deleteParts(uploadId);
}
