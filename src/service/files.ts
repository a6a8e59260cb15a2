import { isAbsolute } from "node:path";
import { NerifError } from "../batch/errors.ts";
import { type FileObject, fileObject, isVisible, type StoredFile } from "../batch/file.ts";
import { isId, newFileId } from "../batch/ids.ts";
import type { ControlStore } from "../control/control-store.ts";
import type { InsertOptions } from "../control/insert-options.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import type { FileReader, FileStore, FileWriter } from "../files/file-store.ts";
import { answerOnce } from "./answer-once.ts";
import type { FileParams } from "./check-file-params.ts";
import { checkFileParams } from "./check-file-params.ts";
import type { CreateOptions } from "./create-options.ts";
import { fileListParams } from "./file-list-params.ts";
import { createFirstLineCheck } from "./first-line.ts";
import { createLineCount } from "./line-count.ts";
import { checkCursor, type Page, readPage } from "./page.ts";
import { parseParams } from "./parse-params.ts";
import { type ByteBudget, type ByteBudgets, createByteBudgets } from "./quotas.ts";

/** Files of the `batch` family go after 30 days unless told otherwise, in seconds. */
const defaultLifetime = 2_592_000;

/** OpenAI gives files of these purposes back to nobody. */
const notDownloadable: readonly string[] = ["assistants", "user_data"];

export interface FileService {
  /**
   * A new file, whose bytes may come before its purpose is known.
   * @param options.apiKey its quota of bytes holds
   * @param options.limited refuses bytes beyond the largest size that the operator set for clients. Default false
   * @throws NerifError `quota_exceeded` when the key may store nothing more
   */
  begin(options?: Pick<CreateOptions, "apiKey"> & { limited?: boolean }): Promise<StagedFile>;
  /** @throws NerifError `file_not_found` */
  retrieve(project: string, id: string): Promise<FileObject>;
  /** Newest first unless `order` is `asc`; `limit` is 10,000 by default and at most. @throws NerifError `cursor_not_found` */
  list(project: string, query?: FileListQuery | Readonly<Record<string, unknown>>): Promise<Page<FileObject>>;
  /** @throws NerifError `file_not_found`, `file_in_use` while a batch that is not final needs it */
  delete(project: string, id: string): Promise<{ id: string; object: "file"; deleted: true }>;
  /** Opens a file for reading; call `close` when done. @throws NerifError `file_not_found`, `file_not_downloadable` */
  content(project: string, id: string): Promise<FileContent>;
}

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

export interface FileListQuery {
  purpose?: string | undefined;
  limit?: number | undefined;
  order?: string | undefined;
  after?: string | undefined;
}

export interface FileContent {
  file: FileObject;
  /** Hexadecimal SHA-256 of all bytes. */
  sha256: string;
  /** The bytes from `start` to before `end`; default: all. Each chunk is the caller's own. */
  stream(range?: { start: number; end: number }): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

export interface FileServiceDeps {
  control: ControlStore;
  files: FileStore;
  clock: Clock;
  /** Default: budgets that no other service shares. */
  budgets?: ByteBudgets | undefined;
  /** Largest file that a client may send at once, in bytes. Default: none. */
  maxFileBytes?: number | undefined;
}

/** The use cases around files. */
export function createFileService(deps: FileServiceDeps): FileService {
  const { control, files, clock, budgets = createByteBudgets(control), maxFileBytes } = deps;
  async function visible(project: string, id: string): Promise<StoredFile> {
    const file = isId("file", id) ? await control.getFile(project, id) : null;
    if (file === null || !isVisible(file, unixSeconds(clock))) throw noSuchFile(id);
    return file;
  }

  return {
    async begin({ apiKey, limited = false } = {}) {
      const budget = await budgets.begin(apiKey);
      const largest = limited ? maxFileBytes : undefined;
      return stageFile({ control, files, clock, budget, record: control.insertFile, maxFileBytes: largest });
    },

    async retrieve(project, id) {
      return fileObject(await visible(project, id));
    },

    async list(project, query = {}) {
      const { limit, ...asked } = parseParams(fileListParams, query, "list files");
      const now = unixSeconds(clock);
      checkCursor("file", asked.after);
      const page = await readPage(limit, (count) =>
        control.listFiles({ project, now, limit: count, ...asked }),
      );
      return { ...page, data: page.data.map(fileObject) };
    },

    async delete(project, id) {
      const file = await visible(project, id);
      if (!(await control.deleteFile(project, id))) {
        if (!(await control.isInputInUse(id))) throw noSuchFile(id);
        throw new NerifError("file_in_use", `Cannot delete file ${id}: a batch that is not final reads it`, {
          param: "id",
        });
      }
      await removeBytes({ control, files, file });
      return { id, object: "file", deleted: true };
    },

    async content(project, id) {
      const file = await visible(project, id);
      if (notDownloadable.includes(file.purpose)) {
        throw new NerifError(
          "file_not_downloadable",
          `Not allowed to download files of purpose: ${file.purpose}`,
        );
      }
      const reader = await openBytes(files, file);
      return {
        file: fileObject(file),
        sha256: file.sha256,
        stream: (range) => reader.stream(range),
        close: () => reader.close(),
      };
    },
  };
}

export function noSuchFile(id: string): NerifError {
  return new NerifError("file_not_found", `No such File object: ${id.slice(0, 80)}`, { param: "id" });
}

interface StageDeps extends Omit<FileServiceDeps, "budgets"> {
  budget: ByteBudget;
  /** Makes the file visible, in one transaction with whatever has to happen with it. */
  record: (file: StoredFile, options: InsertOptions) => Promise<void>;
}

/** A new file on its way; all files that clients make take it. */
export async function stageFile(deps: StageDeps): Promise<StagedFile> {
  const key = newFileId();
  return stage({ ...deps, key, writer: await deps.files.create(key) });
}

function stage(deps: StageDeps & { key: string; writer: FileWriter }): StagedFile {
  const {
    control,
    files,
    clock,
    key,
    budget,
    writer,
    record,
    maxFileBytes = Number.POSITIVE_INFINITY,
  } = deps;
  const firstLine = createFirstLineCheck();
  const lineCount = createLineCount();
  let bytes = 0;
  let state: "open" | "committed" | "done" = "open";

  async function discard(): Promise<void> {
    if (state === "open") await writer.abort();
    if (state === "committed") await files.delete(key);
    state = "done";
    budget.release();
  }

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
    const written = await writer.commit();
    state = "committed";
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
    const given = { filename, purpose, expires_after: expiresAfter, sha256: file.sha256, id: params.id };
    const answer = await answerOnce<FileObject>(
      { project, route: "POST /v1/files", params: given, options },
      {
        control,
        clock,
        async create(recordOf) {
          await record(file, { quotas: apiKey?.quotas, answer: recordOf(fileObject(file)) });
          state = "done";
          return fileObject(file);
        },
      },
    );
    // Where an earlier answer is given again there is a file already: these bytes are nobody's.
    await discard();
    return answer;
  }

  return {
    async write(chunks) {
      for (const chunk of chunks) {
        budget.take(chunk.length);
        bytes += chunk.length;
        firstLine.write(chunk);
        lineCount.write(chunk);
      }
      if (bytes > maxFileBytes) throw new NerifError("file_too_large", "File is too large.");
      await writer.write(chunks);
    },

    async finish(project, params, options = {}) {
      try {
        return await publish(project, params, options);
      } catch (error) {
        await discard();
        throw error;
      }
    },

    discard,
  };
}

async function openBytes(files: FileStore, file: StoredFile): Promise<FileReader> {
  try {
    return await files.open(file.key);
  } catch (error) {
    // Deleted or expired since its record was read: for a client it never was there.
    if (error instanceof NerifError && error.code === "file_not_found") throw noSuchFile(file.id);
    throw error;
  }
}

/** Frees the space of a deleted file at once; what fails here is left to the sweeper. */
async function removeBytes({
  control,
  files,
  file,
}: {
  control: ControlStore;
  files: FileStore;
  file: StoredFile;
}): Promise<void> {
  // Bytes at a path that the operator chose are not ours to remove.
  if (isAbsolute(file.key)) return;
  try {
    await files.delete(file.key);
    await control.markBytesRemoved(file.id);
  } catch {
    // The record is deleted already, which is what the caller asked for.
  }
}
