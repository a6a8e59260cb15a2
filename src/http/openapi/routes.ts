import { Hono } from "hono";
import type { RequestEnvironment } from "../environment.ts";
import { createDocument } from "./document.ts";

/** `/openapi.json`, made when it is first asked for: most servers never are. */
export function descriptionRoutes(): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();
  let document: ReturnType<typeof createDocument> | undefined;
  routes.get("/openapi.json", (c) => {
    document ??= createDocument();
    return c.json(document);
  });
  return routes;
}
