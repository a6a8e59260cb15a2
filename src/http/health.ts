import { Hono } from "hono";
import type { HealthService } from "../service/health.ts";
import type { KeyService } from "../service/keys.ts";
import { projectOf } from "./authenticate.ts";
import type { RequestEnvironment } from "./environment.ts";

/**
 * `/healthz`: the process is up. `/readyz`: it can serve; 503 while its storage cannot be used or it stops. Which of
 * its routes wait is told to those whose batches they are of.
 */
export function healthRoutes({
  health,
  keys,
  draining,
}: {
  health: HealthService;
  keys: KeyService;
  draining: AbortSignal;
}): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();
  routes.get("/healthz", (c) => c.json({ status: "ok" }));
  routes.get("/readyz", async (c) => {
    // Whose batches are asked for cannot be told while the storage does not answer.
    const project = await projectOf(c, keys).catch(() => null);
    const { ready, reason, waiting } = await health.ready(project);
    const shown = project === null ? {} : { waiting };
    if (draining.aborted) return c.json({ status: "unavailable", reason: "draining", ...shown }, 503);
    return c.json({ status: ready ? "ok" : "unavailable", reason, ...shown }, ready ? 200 : 503);
  });
  return routes;
}
