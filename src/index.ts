export type { BatchError, BatchObject, BatchStatus, RequestCounts } from "./batch/batch.ts";
export { type ErrorCode, NerifError } from "./batch/errors.ts";
export type { FileObject } from "./batch/file.ts";
export type { BatchProgress, RouteState, WaitingReason } from "./batch/progress.ts";
export type { Usage } from "./batch/usage.ts";
export type { Logger, NerifOptions, UpstreamOptions } from "./compose.ts";
export type { EngineSettings } from "./engine/settings.ts";
export { Batch } from "./library/batch.ts";
export { BatchFile } from "./library/batch-file.ts";
export type { BatchResultsOptions, BatchWaitOptions, NerifBatches } from "./library/batches.ts";
export type { NerifFiles } from "./library/files.ts";
export { createNerif, type Nerif } from "./library/nerif.ts";
export type {
  BatchCreateParams,
  BatchListParams,
  BatchRequest,
  BatchResult,
  FileListParams,
  Items,
  ListPage,
  ListParams,
} from "./library/types.ts";
