import { batchOperations } from "./batches.ts";
import { fileOperations } from "./files.ts";
import type { Operation } from "./operation.ts";
import { progressOperations } from "./progress.ts";
import { serverOperations } from "./server.ts";
import { uploadOperations } from "./uploads.ts";
import { webhookOperations } from "./webhooks.ts";

/** Every route of the API; a test holds this table against the routes that are served. */
export const operations: readonly Operation[] = [
  ...fileOperations,
  ...uploadOperations,
  ...batchOperations,
  ...progressOperations,
  ...webhookOperations,
  ...serverOperations,
];
