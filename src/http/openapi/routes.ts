import { Hono } from "hono";
import type { RequestEnvironment } from "../environment.ts";

/** `/openapi.json`, made, and what it is made with loaded, when it is first asked for: most servers never are. */
export function descriptionRoutes(): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();
  let loading: Promise<object> | undefined;
  routes.get("/openapi.json", async (c) => {
    loading ??= import("./document.ts").then(({ createDocument }) => createDocument());
    return c.json(await loading);
  });
  return routes;
}
