import { Hono } from "hono";
import type { HealthService } from "../service/health.ts";
import type { RequestEnvironment } from "./environment.ts";

/** `/healthz`: the process is up. `/readyz`: it can serve; 503 while its storage cannot be used or it stops. */
export function healthRoutes({
  health,
  draining,
}: {
  health: HealthService;
  draining: AbortSignal;
}): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();
  routes.get("/healthz", (c) => c.json({ status: "ok" }));
  routes.get("/readyz", async (c) => {
    const { ready, reason, waiting } = await health.ready();
    if (draining.aborted) return c.json({ status: "unavailable", reason: "draining", waiting }, 503);
    return c.json({ status: ready ? "ok" : "unavailable", reason, waiting }, ready ? 200 : 503);
  });
  return routes;
}
