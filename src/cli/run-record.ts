import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { batchStatuses } from "../batch/batch.ts";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { syncDirectory } from "../disk/directory.ts";

const fingerprintSchema = z.object({ bytes: z.number(), modified: z.string(), sha256: z.string() });

const schema = z.object({
  version: z.literal(1),
  batch_id: z.string(),
  file_id: z.string(),
  /** What the results are made of; `path` null is stdin. */
  input: fingerprintSchema.extend({ path: z.string().nullable() }),
  output: z.string().nullable(),
  errors: z.string().nullable(),
  limit: z.number().nullable(),
  strict: z.boolean(),
  /** Runs of earlier versions knew neither. */
  dedupe: z.boolean().default(false),
  group_by_prefix: z.boolean().default(false),
  /** Whether results may take the place of files that this run did not write (`--force`). */
  overwrite: z.boolean(),
  /** Unix milliseconds. */
  created_at: z.number(),
  /** Milliseconds that the run was executed so far, for `--deadline`. */
  elapsed_ms: z.number(),
  finished: z
    .object({
      at: z.number(),
      status: z.enum(batchStatuses),
      total: z.number(),
      completed: z.number(),
      failed: z.number(),
      /** Whether the file was written; one without lines is not. */
      output: z.boolean(),
      errors: z.boolean(),
    })
    .nullable(),
});

/** What a run's private store belongs to, and how far it is: `run.json` in the store. */
export type RunRecord = z.output<typeof schema>;

/**
 * Null when the store has none.
 *
 * @throws NerifError `data_damaged`
 */
export async function readRunRecord(store: string): Promise<RunRecord | null> {
  const path = join(store, "run.json");
  const text = await readFile(path, "utf8").catch((reason: unknown) => {
    if (errnoOf(reason) === "ENOENT") return null;
    throw NerifError.fromUnknown(reason, `read ${path}`);
  });
  if (text === null) return null;
  const result = schema.safeParse(parse(text));
  if (result.success) return result.data;
  throw new NerifError("data_damaged", `Cannot go on with this run: ${path} is damaged; --force starts anew`);
}

/** Replaces the record. Durable when the promise resolves. */
export async function writeRunRecord(store: string, record: RunRecord): Promise<void> {
  const path = join(store, "run.json");
  const temporary = `${path}.part`;
  try {
    await mkdir(store, { recursive: true, mode: 0o700 });
    const file = await open(temporary, "w", 0o600);
    await file.writeFile(`${JSON.stringify(record, null, 2)}\n`);
    // DURABLE: the bytes, then the name; killed in between, the old record still stands.
    await file.sync().finally(() => file.close());
    await rename(temporary, path);
    await syncDirectory(store);
  } catch (reason) {
    throw NerifError.fromUnknown(reason, `write ${path}`);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
