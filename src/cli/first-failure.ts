import { open } from "node:fs/promises";

/** Why the first of the failed lines failed, which is often why all of them did. */
export interface FirstFailure {
  custom_id: string;
  code: string;
  message: string;
}

/** A longer line, which holds a long answer, is not looked at. */
const mostBytes = 256 * 1024;

/** Reads the first line of an error file; null when it cannot be told from it. */
export async function firstFailure(path: string): Promise<FirstFailure | null> {
  await using file = await open(path);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(mostBytes), { position: 0 });
  const end = buffer.subarray(0, bytesRead).indexOf("\n");
  if (end === -1) return null;
  const { custom_id, error } = JSON.parse(buffer.toString("utf8", 0, end)) as {
    custom_id: string;
    error: FirstFailure;
  };
  return { custom_id, code: error.code, message: error.message };
}
