import { Hono } from "hono";
import { NerifError } from "../batch/errors.ts";
import { admit } from "./authenticate.ts";
import { routedPath } from "./azure-path.ts";
import { batchRoutes } from "./batches.ts";
import { allowOrigins } from "./cross-origin.ts";
import type { App, HttpLog, HttpServices, RequestEnvironment } from "./environment.ts";
import { errorResponse } from "./error-response.ts";
import { fileRoutes } from "./files.ts";
import { failures, frame, unknownRoute } from "./frame.ts";
import { healthRoutes } from "./health.ts";
import { metricsRoutes } from "./metrics.ts";
import { modelRoutes } from "./models.ts";
import { descriptionRoutes } from "./openapi/routes.ts";
import { uploadRoutes } from "./uploads.ts";
import { webhookEventTypeRoutes, webhookRoutes } from "./webhooks.ts";

export interface AppOptions {
  log: HttpLog;
  /** True where requests without a key may come from other machines, as long as there are no keys. Default false. */
  anyHost?: boolean;
  /** Origins whose pages may use the API. Default none. */
  origins?: ReadonlySet<string>;
  /** Aborts when the server stops. Default: never. */
  draining?: AbortSignal;
}

/** The HTTP API. */
export function createApp(
  services: HttpServices,
  { log, anyHost = false, origins = new Set(), draining = never }: AppOptions,
): App {
  const app = new Hono<RequestEnvironment>({ getPath: routedPath });

  app.use(frame(draining));
  if (origins.size > 0) app.use(allowOrigins(origins));
  app.use(
    admit({
      keys: services.keys,
      anyHost,
      isAllowedOrigin: (origin) => origins.has(origin),
      // While a server looks whether it is its own upstream, it comes to itself without one of its keys.
      isOpen: (c) => c.req.path === "/v1/models" && services.models.isLookingForItself,
    }),
  );
  app.use("/v1/*", async (_c, next) => {
    if (draining.aborted) {
      throw new NerifError("shutting_down", "Cannot accept the request: the server is shutting down");
    }
    await next();
  });

  app.route("/v1/files", fileRoutes({ files: services.files, log }));
  app.route("/v1/uploads", uploadRoutes({ uploads: services.uploads }));
  app.route("/v1/batches", batchRoutes({ batches: services.batches, log, draining }));
  app.route("/v1/webhook_endpoints", webhookRoutes({ webhooks: services.webhooks }));
  app.route("/v1/webhook_event_types", webhookEventTypeRoutes());
  app.route("/v1/models", modelRoutes({ models: services.models }));
  app.route("/", healthRoutes({ health: services.health, keys: services.keys, draining }));
  app.route("/", metricsRoutes({ metrics: services.metrics }));
  app.route("/", descriptionRoutes());

  app.notFound((c) => {
    // It may be a line of its own, sent to itself before it knows that it is its own upstream. 404 would be the end of
    // the line; this costs it nothing.
    if (services.models.isLookingForItself && c.req.method === "POST") {
      const message = "Cannot answer yet: the server is starting";
      return errorResponse(new NerifError("rate_limit_exceeded", message, { retryAfterMs: startingMs }));
    }
    return unknownRoute(c);
  });
  app.onError(failures(log));
  return app;
}

const startingMs = 2_000;

const never = new AbortController().signal;
