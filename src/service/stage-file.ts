import { NerifError } from "../batch/errors.ts";
import { type FileObject, fileObject, type StoredFile } from "../batch/file.ts";
import { newFileId } from "../batch/ids.ts";
import type { ControlStore } from "../control/control-store.ts";
import type { InsertOptions } from "../control/insert-options.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import type { FileStore } from "../files/file-store.ts";
import { type Asked, answerOnce } from "./answer-once.ts";
import type { CreateOptions } from "./create-options.ts";
import { checkFileParams, type FileParams } from "./file-params.ts";
import { createFirstLineCheck } from "./first-line.ts";
import { createLineCount } from "./line-count.ts";
import type { ByteBudget } from "./quotas.ts";
import { stageBytes } from "./staged-bytes.ts";

/** Files of the `batch` family go after 30 days unless told otherwise, in seconds. */
const defaultLifetime = 2_592_000;

export interface StagedFile {
  /** @throws NerifError `file_too_large`, `quota_exceeded`, `disk_full` */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /**
   * Makes the file durable and visible. When it is refused its bytes are discarded, and also when an idempotency key
   * gives an earlier file again.
   * @throws NerifError `idempotency_key_reused`, `empty_file`, `invalid_file_format`, `file_exists`, `quota_exceeded`,
   *   `disk_full`, and for bad parameters
   */
  finish(project: string, params: FileParams, options?: CreateOptions): Promise<FileObject>;
  /** Forgets the bytes. Safe to call at any time and more than once. */
  discard(): Promise<void>;
}

interface StageDeps {
  control: ControlStore;
  files: FileStore;
  clock: Clock;
  budget: ByteBudget;
  /** Makes the file visible, in one transaction with whatever has to happen with it. */
  record: (file: StoredFile, options: InsertOptions) => Promise<void>;
  /** Largest size in bytes. Default: none. */
  maxFileBytes?: number | undefined;
}

/** A new file on its way; all files that clients make take it. */
export async function stageFile(deps: StageDeps): Promise<StagedFile> {
  const { control, files, clock, budget, record, maxFileBytes = Number.POSITIVE_INFINITY } = deps;
  const key = newFileId();
  const staged = await stageBytes(key, { files, budget });
  const firstLine = createFirstLineCheck();
  const lineCount = createLineCount();
  let bytes = 0;

  async function publish(project: string, params: FileParams, options: CreateOptions): Promise<FileObject> {
    const { apiKey = null } = options;
    const { expiresAfter } = checkFileParams(params);
    const { purpose, filename, id = key } = params;
    if (purpose !== "batch_output" && bytes === 0) {
      throw new NerifError("empty_file", "Cannot use the file: it is empty", { param: "file" });
    }
    if (purpose === "batch") firstLine.check();
    if (id !== key && (await control.getFile(null, id)) !== null) {
      throw new NerifError("file_exists", `Cannot create file ${id}: there is one with this id already`, {
        param: "id",
      });
    }
    // DURABLE: the bytes are synced before the row that names them is written, and the row before the answer.
    const written = await staged.commit();
    const createdAt = unixSeconds(clock);
    const lifetime = expiresAfter?.seconds ?? (purpose.startsWith("batch") ? defaultLifetime : null);
    const file: StoredFile = {
      id,
      project,
      bytes: written.bytes,
      created_at: createdAt,
      expires_at: lifetime === null ? null : createdAt + lifetime,
      filename,
      purpose,
      sha256: written.sha256,
      key,
      api_key: apiKey?.id ?? null,
      lines: purpose === "batch" ? lineCount.lines() : null,
    };
    const answer = await answerOnce<FileObject>(
      { project, ...askedFile(params, file.sha256), options },
      {
        control,
        clock,
        async create(recordOf) {
          const answer = recordOf(fileObject(file));
          await staged.name(() => record(file, { quotas: apiKey?.quotas, answer }));
          staged.keep();
          return fileObject(file);
        },
      },
    );
    // Where an earlier answer is given again there is a file already: these bytes are nobody's. The answer may be this
    // request's own, whose row came about after all; then they are the file's.
    if (answer.id === key) staged.keep();
    else await staged.discard();
    return answer;
  }

  return {
    async write(chunks) {
      bytes = staged.take(chunks);
      for (const chunk of chunks) {
        firstLine.write(chunk);
        lineCount.write(chunk);
      }
      if (bytes > maxFileBytes) throw new NerifError("file_too_large", "File is too large.");
      await staged.write(chunks);
    },

    async finish(project, params, options = {}) {
      try {
        return await publish(project, params, options);
      } catch (error) {
        await staged.discard();
        throw error;
      }
    },

    discard: staged.discard,
  };
}

/** What makes two requests for a file the same one. @throws NerifError for bad parameters */
export function askedFile(given: FileParams, sha256: string): Pick<Asked, "route" | "params"> {
  const { filename, purpose, id } = given;
  const { expiresAfter } = checkFileParams(given);
  return { route: "POST /v1/files", params: { filename, purpose, expires_after: expiresAfter, sha256, id } };
}
