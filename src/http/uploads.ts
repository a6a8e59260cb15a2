import { Hono } from "hono";
import type { UploadService } from "../service/uploads.ts";
import { createOptions } from "./create-options.ts";
import type { RequestEnvironment } from "./environment.ts";
import { refuseOtherFields } from "./form-fields.ts";
import { readJsonObject } from "./json-body.ts";
import { receiveForm } from "./multipart.ts";

/** `/v1/uploads` */
export function uploadRoutes({ uploads }: { uploads: UploadService }): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();

  routes.post("/", async (c) => {
    const options = createOptions(c);
    return c.json(await uploads.create(c.get("project"), await readJsonObject(c.req.raw), options));
  });

  routes.post("/:id/parts", async (c) => {
    const part = await uploads.beginPart(c.get("project"), c.req.param("id"));
    try {
      const { fields } = await receiveForm(c.req.raw, { fileField: "data", begin: async () => part });
      refuseOtherFields(fields);
      return c.json(await part.finish());
    } finally {
      await part.discard();
    }
  });

  routes.post("/:id/complete", async (c) =>
    c.json(await uploads.complete(c.get("project"), c.req.param("id"), await readJsonObject(c.req.raw))),
  );

  // The body is never read: clients send none, or an empty one that claims to be JSON.
  routes.post("/:id/cancel", async (c) => c.json(await uploads.cancel(c.get("project"), c.req.param("id"))));

  return routes;
}
