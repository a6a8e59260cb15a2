import { Hono } from "hono";
import { NerifError } from "../batch/errors.ts";
import type { MetricsService } from "../service/metrics.ts";
import { defaultProject } from "./authenticate.ts";
import type { RequestEnvironment } from "./environment.ts";
import { expositionType, renderMetrics } from "./exposition.ts";

/**
 * `/metrics`. They are about all projects, and name models of all of them: where keys are asked for, those of the
 * default project alone may read them, which is also whose the work of the server's own machine is.
 */
export function metricsRoutes({ metrics }: { metrics: MetricsService }): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();
  routes.get("/metrics", async (c) => {
    if (c.get("project") !== defaultProject) {
      throw new NerifError(
        "request_forbidden",
        `Cannot show the metrics: they are about all projects; it takes a key of the project '${defaultProject}'`,
      );
    }
    return c.body(renderMetrics(await metrics.read()), 200, { "content-type": expositionType });
  });
  return routes;
}
