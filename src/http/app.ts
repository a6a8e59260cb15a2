import { Hono } from "hono";
import { NerifError } from "../batch/errors.ts";
import { routedPath } from "./azure-path.ts";
import { batchRoutes } from "./batches.ts";
import type { App, HttpLog, HttpServices, RequestContext, RequestEnvironment } from "./environment.ts";
import { errorResponse, isServerFault } from "./error-response.ts";
import { fileRoutes } from "./files.ts";
import { healthRoutes } from "./health.ts";
import { guardLoopback } from "./loopback-guard.ts";
import { modelRoutes } from "./models.ts";
import { newRequestId } from "./request-id.ts";
import { webhookEventTypeRoutes, webhookRoutes } from "./webhooks.ts";

export interface AppOptions {
  log: HttpLog;
  /** True where other machines may send requests. Default false. */
  anyHost?: boolean;
  /** Aborts when the server stops. Default: never. */
  draining?: AbortSignal;
}

/** The HTTP API. */
export function createApp(
  services: HttpServices,
  { log, anyHost = false, draining = never }: AppOptions,
): App {
  const app = new Hono<RequestEnvironment>({ getPath: routedPath });

  app.use(async (c, next) => {
    c.set("requestId", newRequestId());
    await next();
    c.res.headers.set("x-request-id", c.get("requestId"));
  });
  app.use(async (c, next) => {
    guardLoopback(c.req.raw, { anyHost });
    await next();
  });
  app.use("/v1/*", async (c, next) => {
    if (draining.aborted) {
      throw new NerifError("shutting_down", "Cannot accept the request: the server is shutting down");
    }
    // Objects that are made without keys belong to one project.
    c.set("project", "default");
    await next();
  });

  app.route("/v1/files", fileRoutes({ files: services.files, log }));
  app.route("/v1/batches", batchRoutes({ batches: services.batches, log, draining }));
  app.route("/v1/webhook_endpoints", webhookRoutes({ webhooks: services.webhooks }));
  app.route("/v1/webhook_event_types", webhookEventTypeRoutes());
  app.route("/v1/models", modelRoutes({ models: services.models }));
  app.route("/", healthRoutes({ health: services.health, draining }));

  app.notFound((c) => {
    const { pathname } = new URL(c.req.url);
    const message = `Invalid URL (${c.req.method} ${pathname.slice(0, 200)})`;
    return errorResponse(new NerifError("route_not_found", message));
  });
  app.onError((reason, c: RequestContext) => {
    if (isServerFault(reason)) {
      log.error({ err: reason, requestId: c.get("requestId") }, `${c.req.method} ${c.req.routePath} failed`);
    }
    return errorResponse(reason);
  });
  return app;
}

const never = new AbortController().signal;
