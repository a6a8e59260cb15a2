import type { Context, Hono } from "hono";
import type { BatchService } from "../service/batches.ts";
import type { FileService } from "../service/files.ts";
import type { HealthService } from "../service/health.ts";
import type { ModelService } from "../service/models.ts";
import type { WebhookService } from "../service/webhooks.ts";

/** What the routes work with. */
export interface HttpServices {
  files: FileService;
  batches: BatchService;
  webhooks: WebhookService;
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
    /** Whose objects the request sees. */
    project: string;
  };
}

export type App = Hono<RequestEnvironment>;
export type RequestContext = Context<RequestEnvironment>;
