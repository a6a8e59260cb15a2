import type { FileObject } from "../batch/file.ts";
import type { NerifFiles } from "./files.ts";
import { openInstance } from "./instances.ts";
import type { BatchRequest, Items } from "./types.ts";

/**
 * JSONL files of one data directory. Opening one on a path of its own makes `Batch` find its ids there.
 */
export class BatchFile {
  readonly #files: NerifFiles;

  /** @param where the data directory; default `NERIF_DATA_DIR`, else `~/.nerif/batches` */
  constructor(where: string | { filePath?: string | undefined } = {}) {
    this.#files = openInstance(typeof where === "string" ? where : where.filePath).files;
  }

  /** See `NerifFiles.createBatchFile`. */
  createBatchFile(requests: Items<BatchRequest>, fileId?: string): Promise<FileObject> {
    return this.#files.createBatchFile(requests, fileId);
  }

  /** See `NerifFiles.readBatchFile`. */
  readBatchFile(fileId: string): Promise<Record<string, unknown>[]> {
    return this.#files.readBatchFile(fileId);
  }

  /** See `NerifFiles.createOutputFile`. */
  createOutputFile(batchId: string, results: Items<object>): Promise<FileObject> {
    return this.#files.createOutputFile(batchId, results);
  }

  /** See `NerifFiles.createErrorFile`. */
  createErrorFile(batchId: string, errors: Items<object>): Promise<FileObject | null> {
    return this.#files.createErrorFile(batchId, errors);
  }
}
