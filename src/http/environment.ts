import type { Context, Hono } from "hono";
import type { StoredApiKey } from "../batch/api-key.ts";
import type { HealthService } from "../service/health.ts";
import type { Services } from "../service/instance.ts";
import type { MetricsService } from "../service/metrics.ts";
import type { ModelService } from "../service/models.ts";

/** What the routes work with. */
export interface HttpServices extends Services {
  models: ModelService;
  health: HealthService;
  metrics: MetricsService;
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
