import { NerifError } from "../batch/errors.ts";
import type { FileObject } from "../batch/file.ts";
import { assertId } from "../batch/ids.ts";
import type { Opened } from "../compose.ts";
import type { StagedFile } from "../service/stage-file.ts";
import { checkId } from "./check-id.ts";
import { checkRequest } from "./check-request.ts";
import { listPage } from "./list-page.ts";
import { project } from "./project.ts";
import { readLines } from "./read-lines.ts";
import type { BatchRequest, FileListParams, Items, ListPage } from "./types.ts";
import { writeLines } from "./write-lines.ts";

/** Files of one data directory. */
export interface NerifFiles {
  /**
   * Writes requests to a new input file, each as it comes: a million of them are never in memory at once.
   *
   * @param fileId an id of the caller's own choice, `file-` and 22 to 32 letters and digits
   * @throws NerifError for the first request that no batch would take, with its index; `invalid_id`, `file_exists`,
   *   `empty_file`, `disk_full`
   */
  createBatchFile(requests: Items<BatchRequest>, fileId?: string): Promise<FileObject>;
  /**
   * All lines of a file, parsed.
   * @throws NerifError `invalid_json_line` with the number of the line, `file_not_found`
   */
  readBatchFile(fileId: string): Promise<Record<string, unknown>[]>;
  /** Writes results as a file with purpose `batch_output`. @throws NerifError `invalid_id`, `invalid_type` */
  createOutputFile(batchId: string, results: Items<object>): Promise<FileObject>;
  /** The same for errors; null, and no file, when there are none. @throws NerifError `invalid_id`, `invalid_type` */
  createErrorFile(batchId: string, errors: Items<object>): Promise<FileObject | null>;
  /** @throws NerifError `file_not_found` */
  retrieve(fileId: string): Promise<FileObject>;
  /** Newest first unless `order` is `asc`. @throws NerifError `cursor_not_found` */
  list(params?: FileListParams): Promise<ListPage<FileObject>>;
  /** @throws NerifError `file_not_found`, `file_in_use` while a batch that is not final reads it */
  delete(fileId: string): Promise<{ id: string; object: "file"; deleted: true }>;
  /**
   * The bytes of a file, as a web `Response`: `text()`, `json()`, or `body` as a stream that is read as it is
   * consumed. @throws NerifError `file_not_found`
   */
  content(fileId: string): Promise<Response>;
}

export function createFiles(open: () => Promise<Opened>): NerifFiles {
  async function createBatchFile(requests: Items<BatchRequest>, fileId?: string): Promise<FileObject> {
    if (fileId !== undefined) await assertUnused(fileId);
    const maxBytes = (await open()).settings.maxLineBytes;
    const check = (line: Buffer, index: number) => checkRequest(line, { index, maxBytes });
    return staging(async (staged) => {
      await writeLines(requests, staged, { what: "request", check });
      return staged.finish(project, { filename: "batch.jsonl", purpose: "batch", id: fileId });
    });
  }

  /** The file is looked up again when it is complete; here so that nobody writes a million lines in vain. */
  async function assertUnused(fileId: string): Promise<void> {
    assertId("file", fileId, "fileId");
    const { control } = await open();
    if ((await control.getFile(null, fileId)) === null) return;
    const reason = "there is one with this id already";
    throw new NerifError("file_exists", `Cannot create file ${fileId}: ${reason}`, { param: "fileId" });
  }

  async function createOutputFile(batchId: string, results: Items<object>): Promise<FileObject> {
    assertId("batch", batchId, "batchId");
    return staging(async (staged) => {
      await writeLines(results, staged, { what: "result" });
      return staged.finish(project, { filename: `${batchId}_output.jsonl`, purpose: "batch_output" });
    });
  }

  async function createErrorFile(batchId: string, errors: Items<object>): Promise<FileObject | null> {
    assertId("batch", batchId, "batchId");
    return staging(async (staged) => {
      if ((await writeLines(errors, staged, { what: "error" })) === 0) return null;
      return staged.finish(project, { filename: `${batchId}_error.jsonl`, purpose: "batch_output" });
    });
  }

  async function staging<T>(work: (staged: StagedFile) => Promise<T>): Promise<T> {
    const { service } = await open();
    const staged = await service.files.begin();
    try {
      return await work(staged);
    } finally {
      await staged.discard();
    }
  }

  return {
    createBatchFile,
    async readBatchFile(fileId) {
      const { service } = await open();
      const content = await service.files.content(project, checkId(fileId, "fileId"));
      try {
        return await readLines(content.stream(), `file ${fileId}`);
      } finally {
        await content.close();
      }
    },
    createOutputFile,
    createErrorFile,
    retrieve: async (fileId) => (await open()).service.files.retrieve(project, checkId(fileId, "fileId")),
    async list(params = {}) {
      const page = await (await open()).service.files.list(project, params);
      return listPage(page.data, page.has_more);
    },
    delete: async (fileId) => (await open()).service.files.delete(project, checkId(fileId, "fileId")),
    async content(fileId) {
      const { service } = await open();
      await service.files.retrieve(project, checkId(fileId, "fileId"));
      const stream = ReadableStream.from(contentOf(service.files, fileId));
      return new Response(stream, { headers: { "content-type": "application/octet-stream" } });
    },
  };
}

/** Opens the file when the first bytes are asked for: a `Response` that nobody reads must not keep it open. */
async function* contentOf(files: Opened["service"]["files"], fileId: string): AsyncGenerator<Buffer> {
  const content = await files.content(project, fileId);
  try {
    yield* content.stream();
  } finally {
    await content.close();
  }
}
