import type { Context, Hono } from "hono";
import type { StoredApiKey } from "../batch/api-key.ts";
import type { BatchService } from "../service/batches.ts";
import type { FileService } from "../service/files.ts";
import type { HealthService } from "../service/health.ts";
import type { KeyService } from "../service/keys.ts";
import type { ModelService } from "../service/models.ts";
import type { UploadService } from "../service/uploads.ts";
import type { WebhookService } from "../service/webhooks.ts";

/** What the routes work with. */
export interface HttpServices {
  files: FileService;
  uploads: UploadService;
  batches: BatchService;
  webhooks: WebhookService;
  keys: KeyService;
  models: ModelService;
  health: HealthService;
}

/** Where what goes wrong is told; pino's loggers fit. */
export interface HttpLog {
  error(fields: object, message: string): void;
}

/** What the middleware knows of a request. */
export interface RequestEnvironment {
  Variables: {
    requestId: string;
    /** Whose objects the request sees. Not set on the paths that need no key where others do. */
    project: string;
    /** The key with which it came; null where none is asked for. */
    apiKey: StoredApiKey | null;
  };
}

export type App = Hono<RequestEnvironment>;
export type RequestContext = Context<RequestEnvironment>;
