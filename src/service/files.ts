import { isAbsolute } from "node:path";
import { NerifError } from "../batch/errors.ts";
import { type FileObject, fileObject, isVisible, type StoredFile } from "../batch/file.ts";
import { isId } from "../batch/ids.ts";
import type { ControlStore } from "../control/control-store.ts";
import type { StoredAnswer } from "../control/idempotency-records.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import type { FileReader, FileStore } from "../files/file-store.ts";
import { openChecked } from "./checked-reader.ts";
import type { CreateOptions } from "./create-options.ts";
import { fileListParams } from "./file-list-params.ts";
import { checkCursor, type Page, readPage } from "./page.ts";
import { parseParams } from "./parse-params.ts";
import type { ByteBudgets } from "./quotas.ts";
import { repeatedFile } from "./repeated-file.ts";
import { type StagedFile, stageFile } from "./stage-file.ts";

/** OpenAI gives files of these purposes back to nobody. */
const notDownloadable: readonly string[] = ["assistants", "user_data"];

export interface FileService {
  /**
   * A new file, whose bytes may come before its purpose is known.
   * @throws NerifError `quota_exceeded` when the key may store nothing more
   */
  begin(options?: BeginOptions): Promise<StagedFile>;
  /** @throws NerifError `file_not_found` */
  retrieve(project: string, id: string): Promise<FileObject>;
  /** Newest first unless `order` is `asc`; `limit` is 10,000 by default and at most. @throws NerifError `cursor_not_found` */
  list(project: string, query?: FileListQuery | Readonly<Record<string, unknown>>): Promise<Page<FileObject>>;
  /** @throws NerifError `file_not_found`, `file_in_use` while a batch that is not final needs it */
  delete(project: string, id: string): Promise<{ id: string; object: "file"; deleted: true }>;
  /** Opens a file for reading; call `close` when done. @throws NerifError `file_not_found`, `file_not_downloadable` */
  content(project: string, id: string): Promise<FileContent>;
}

export interface BeginOptions extends Pick<CreateOptions, "apiKey"> {
  /** Refuses bytes beyond the largest size that the operator set for clients. Default false. */
  limited?: boolean | undefined;
  /** Under which key of which project it will be finished; what was sent under it before takes no room. Default none. */
  repeatOf?: { project: string; idempotencyKey: string | undefined } | undefined;
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

interface FileServiceDeps {
  control: ControlStore;
  files: FileStore;
  clock: Clock;
  budgets: ByteBudgets;
  /** Largest file that a client may send at once, in bytes. Default: none. */
  maxFileBytes?: number | undefined;
}

/** The use cases around files. */
export function createFileService(deps: FileServiceDeps): FileService {
  const { control, files, clock, budgets, maxFileBytes } = deps;

  async function visible(project: string, id: string): Promise<StoredFile> {
    const file = isId("file", id) ? await control.getFile(project, id) : null;
    if (file === null || !isVisible(file, unixSeconds(clock))) throw noSuchFile(id);
    return file;
  }

  async function earlierAnswer(asked: BeginOptions["repeatOf"]): Promise<StoredAnswer | null> {
    if (asked?.idempotencyKey === undefined) return null;
    return control.getAnswer(asked.project, asked.idempotencyKey, unixSeconds(clock));
  }

  return {
    async begin({ apiKey, limited = false, repeatOf } = {}) {
      const first = await earlierAnswer(repeatOf);
      if (first !== null) return repeatedFile(first);
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
      for (;;) {
        const file = await visible(project, id);
        if (await control.deleteFile(project, id)) {
          await removeBytes({ control, files, file });
          return { id, object: "file", deleted: true };
        }
        if (await control.isInputInUse(id)) {
          throw new NerifError(
            "file_in_use",
            `Cannot delete file ${id}: a batch that is not final reads it`,
            {
              param: "id",
            },
          );
        }
        // Its batch has ended between the two questions, or somebody else has deleted it: look again.
      }
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

async function openBytes(files: FileStore, file: StoredFile): Promise<FileReader> {
  try {
    return await openChecked(files, file);
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
