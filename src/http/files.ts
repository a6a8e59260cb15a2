import { Hono } from "hono";
import { fileListParams } from "../service/file-list-params.ts";
import { checkUploadPurpose } from "../service/file-params.ts";
import type { FileService } from "../service/files.ts";
import { createOptions } from "./create-options.ts";
import type { HttpLog, RequestEnvironment } from "./environment.ts";
import { contentResponse } from "./file-content.ts";
import { refuseOtherFields } from "./form-fields.ts";
import { listObject, queryParams } from "./list.ts";
import { receiveForm } from "./multipart.ts";

/** `/v1/files` */
export function fileRoutes({ files, log }: { files: FileService; log: HttpLog }): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();

  routes.post("/", async (c) => {
    const options = createOptions(c);
    const { apiKey, idempotencyKey } = options;
    const repeatOf = { project: c.get("project"), idempotencyKey };
    const form = await receiveForm(c.req.raw, {
      fileField: "file",
      begin: () => files.begin({ apiKey, limited: true, repeatOf }),
    });
    try {
      refuseOtherFields(form.fields, formFields);
      const purpose = checkUploadPurpose(form.fields.get("purpose"));
      const { filename } = form;
      const expires_after = expiresAfter(form.fields) as { anchor: string; seconds: number } | null;
      return c.json(await form.file.finish(c.get("project"), { filename, purpose, expires_after }, options));
    } catch (reason) {
      await form.file.discard();
      throw reason;
    }
  });

  routes.get("/", async (c) =>
    c.json(listObject(await files.list(c.get("project"), queryParams(c, fileListParams)))),
  );

  routes.get("/:id", async (c) => c.json(await files.retrieve(c.get("project"), c.req.param("id"))));

  routes.delete("/:id", async (c) => c.json(await files.delete(c.get("project"), c.req.param("id"))));

  routes.get("/:id/content", async (c) => {
    const content = await files.content(c.get("project"), c.req.param("id"));
    return contentResponse(c.req.raw, {
      content,
      onError: (reason) => log.error({ err: reason, requestId: c.get("requestId") }, "A download broke off"),
    });
  });

  return routes;
}

const formFields: ReadonlySet<string> = new Set([
  "purpose",
  "expires_after[anchor]",
  "expires_after[seconds]",
]);

/** The bracketed fields of a form as the object that they stand for; null when there are none. */
function expiresAfter(fields: ReadonlyMap<string, string>): { anchor?: unknown; seconds?: unknown } | null {
  const anchor = fields.get("expires_after[anchor]");
  const seconds = fields.get("expires_after[seconds]");
  if (anchor === undefined && seconds === undefined) return null;
  const isNumber = seconds !== undefined && /^-?\d{1,99}$/.test(seconds);
  return { anchor, seconds: isNumber ? Number(seconds) : seconds };
}
