import { Hono } from "hono";
import type { HealthService, Readiness } from "../service/health.ts";
import type { RequestEnvironment } from "./environment.ts";

/** What `/readyz` answers. */
export interface ReadinessObject {
  status: "ok" | "unavailable";
  reason: Readiness["reason"] | "draining";
  waiting: Readiness["waiting"];
}

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
    const answer = await readiness();
    return c.json(answer, answer.status === "ok" ? 200 : 503);
  });
  return routes;

  async function readiness(): Promise<ReadinessObject> {
    const { ready, reason, waiting } = await health.ready();
    if (draining.aborted) return { status: "unavailable", reason: "draining", waiting };
    return { status: ready ? "ok" : "unavailable", reason, waiting };
  }
}
