import { Hono } from "hono";
import { webhookEventTypes } from "../batch/webhook.ts";
import { webhookEndpointListParams } from "../service/webhook-params.ts";
import type { WebhookService } from "../service/webhooks.ts";
import type { RequestEnvironment } from "./environment.ts";
import { readJsonObject } from "./json-body.ts";
import { listObject, queryParams } from "./list.ts";

/** `/v1/webhook_endpoints` */
export function webhookRoutes({ webhooks }: { webhooks: WebhookService }): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();

  routes.post("/", async (c) =>
    c.json(await webhooks.create(c.get("project"), await readJsonObject(c.req.raw))),
  );

  routes.get("/", async (c) => {
    const query = queryParams(c, webhookEndpointListParams);
    return c.json(listObject(await webhooks.list(c.get("project"), query)));
  });

  routes.get("/:id", async (c) => c.json(await webhooks.retrieve(c.get("project"), c.req.param("id"))));

  routes.post("/:id", async (c) => {
    const changes = await readJsonObject(c.req.raw, { mayBeEmpty: true });
    return c.json(await webhooks.update(c.get("project"), c.req.param("id"), changes));
  });

  // The body is never read: clients send none, or an empty one that claims to be JSON.
  routes.delete("/:id", async (c) => c.json(await webhooks.delete(c.get("project"), c.req.param("id"))));

  routes.post("/:id/rotate_secret", async (c) => {
    const params = await readJsonObject(c.req.raw, { mayBeEmpty: true });
    return c.json(await webhooks.rotate(c.get("project"), c.req.param("id"), params));
  });

  routes.post("/:id/test", async (c) =>
    c.json(await webhooks.test(c.get("project"), c.req.param("id"), await readJsonObject(c.req.raw))),
  );

  return routes;
}

/** `/v1/webhook_event_types` */
export function webhookEventTypeRoutes(): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();
  routes.get("/", (c) => c.json({ object: "list", data: webhookEventTypes }));
  return routes;
}
