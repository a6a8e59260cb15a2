import type { Batch } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import type { ControlStore } from "../control/control-store.ts";
import type { FileReader, FileStore } from "../files/file-store.ts";

/** Key of a batch's plan in the file store. */
export function planKey(batchId: string): string {
  return `${batchId}.plan`;
}

/** Key of the list of lines that get the answer of another one. */
export function followersKey(batchId: string): string {
  return `${batchId}.followers`;
}

export function openPlan(batchId: string, { files }: { files: FileStore }): Promise<FileReader> {
  return files.open(planKey(batchId));
}

/** The input of a batch, with the sum that its bytes had when they came. */
export interface InputReader extends FileReader {
  sha256: string;
}

/** @throws NerifError `input_file_gone`, `input_changed` */
export async function openInput(
  batch: Batch,
  { control, files }: { control: ControlStore; files: FileStore },
): Promise<InputReader> {
  const file = await control.getFile(null, batch.input_file_id);
  if (file === null) {
    throw new NerifError(
      "input_file_gone",
      `Cannot run ${batch.id}: its input ${batch.input_file_id} is gone`,
    );
  }
  const reader = await files.open(file.key);
  if (reader.bytes === file.bytes) return Object.assign(reader, { sha256: file.sha256 });
  await reader.close();
  const sizes = `it has ${reader.bytes} bytes, not ${file.bytes}`;
  throw new NerifError("input_changed", `Cannot run ${batch.id}: its input changed meanwhile, ${sizes}`);
}
