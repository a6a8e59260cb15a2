import { Hono } from "hono";
import type { ModelService } from "../service/models.ts";
import type { RequestEnvironment } from "./environment.ts";

/** `/v1/models` */
export function modelRoutes({ models }: { models: ModelService }): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();
  routes.get("/", async (c) => c.json({ object: "list", data: await models.list() }));
  return routes;
}
