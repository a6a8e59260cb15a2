import type { Endpoint } from "../batch/limits.ts";
import type { EngineSettings } from "../engine/settings.ts";
import { type Validation, validateInput } from "../engine/validate.ts";
import type { FileStore } from "../files/file-store.ts";

export type FileVerdict = { ok: true; total: number } | Extract<Validation, { ok: false }>;

/**
 * Checks an input file as a batch of it would be checked, and sends nothing. Which models there are is for the
 * upstreams of a later run to say.
 *
 * @throws NerifError `file_not_found`
 */
export async function validateFile(
  key: string,
  { files, settings, endpoint }: { files: FileStore; settings: EngineSettings; endpoint: Endpoint },
): Promise<FileVerdict> {
  const input = await files.open(key);
  try {
    const result = await validateInput({ input, settings, endpoint });
    return result.ok ? { ok: true, total: result.total } : result;
  } finally {
    await input.close();
  }
}
