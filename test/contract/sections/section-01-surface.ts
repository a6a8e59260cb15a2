import { expect } from "vitest";
import type { Row } from "../row.ts";
import { chat, lines, refusal, run, start, upload } from "../steps.ts";

export const surfaceRows: Row[] = [
  {
    section: "1",
    title: "`POST /files` takes a form and answers 200 with a File",
    async check({ sdk, server }) {
      expect(await upload(sdk)).toMatchObject({ object: "file" });
      const seen = server.last();
      expect(seen).toMatchObject({ method: "POST", path: "/v1/files", status: 200 });
      expect(seen.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/);
    },
  },
  {
    section: "1",
    title: "`GET /files` answers 200 with a list of File",
    async check({ sdk, server }) {
      const { id } = await upload(sdk);
      const { data } = await sdk.files.list({ purpose: "batch" });
      expect(data[0]).toMatchObject({ id, object: "file" });
      expect(server.last()).toMatchObject({ method: "GET", path: "/v1/files?purpose=batch", status: 200 });
    },
  },
  {
    section: "1",
    title: "`GET /files/{file_id}` answers 200 with a File",
    async check({ sdk, server }) {
      const { _request_id: _, ...file } = await upload(sdk);
      expect(await sdk.files.retrieve(file.id)).toMatchObject(file);
      expect(server.last()).toMatchObject({ method: "GET", path: `/v1/files/${file.id}`, status: 200 });
    },
  },
  {
    section: "1",
    title: "`DELETE /files/{file_id}` answers 200 with `id`, `object: file`, `deleted: true`",
    async check({ sdk, server }) {
      const { id } = await upload(sdk);
      expect(await sdk.files.delete(id)).toMatchObject({ id, object: "file", deleted: true });
      expect(server.last()).toMatchObject({ method: "DELETE", path: `/v1/files/${id}`, status: 200 });
    },
  },
  {
    section: "1",
    title: "`GET /files/{file_id}/content` answers 200 with the raw bytes",
    async check({ sdk, server }) {
      const { id } = await upload(sdk, lines(3));
      expect((await sdk.files.content(id)).toString()).toBe(lines(3));
      expect(server.last()).toMatchObject({ method: "GET", path: `/v1/files/${id}/content`, status: 200 });
    },
  },
  {
    section: "1",
    title: "`POST /uploads` takes JSON and answers 200 with an Upload that is `pending`",
    async check({ sdk, server }) {
      const upload = await sdk.uploads.create({
        filename: "a.jsonl",
        purpose: "batch",
        bytes: 3,
        mime_type: "application/jsonl",
      });
      expect(upload).toMatchObject({ object: "upload", status: "pending" });
      expect(server.last()).toMatchObject({ method: "POST", path: "/v1/uploads", status: 200 });
    },
  },
  {
    section: "1",
    title: "`POST /uploads/{upload_id}/parts` takes a form and answers 200 with an UploadPart",
    async check({ sdk, server }) {
      const params = { filename: "a.jsonl", purpose: "batch", bytes: 3, mime_type: "application/jsonl" };
      const upload = await sdk.uploads.create(params);
      expect(await sdk.uploads.part(upload.id, "{}\n")).toMatchObject({ object: "upload.part" });
      expect(server.last()).toMatchObject({
        method: "POST",
        path: `/v1/uploads/${upload.id}/parts`,
        status: 200,
      });
    },
  },
  {
    section: "1",
    title:
      "`POST /uploads/{upload_id}/complete` takes JSON and answers 200 with the Upload `completed` and its `file`",
    async check({ sdk, server }) {
      const params = { filename: "a.jsonl", purpose: "batch", bytes: 3, mime_type: "application/jsonl" };
      const upload = await sdk.uploads.create(params);
      const part = await sdk.uploads.part(upload.id, "{}\n");
      const completed = await sdk.uploads.complete(upload.id, { part_ids: [part.id] });
      expect(completed).toMatchObject({ status: "completed", file: { object: "file", bytes: 3 } });
      expect(server.last()).toMatchObject({ path: `/v1/uploads/${upload.id}/complete`, status: 200 });
    },
  },
  {
    section: "1",
    title: "`POST /uploads/{upload_id}/cancel` takes no body and answers 200 with the Upload `cancelled`",
    async check({ sdk, server }) {
      const params = { filename: "a.jsonl", purpose: "batch", bytes: 3, mime_type: "application/jsonl" };
      const upload = await sdk.uploads.create(params);
      expect(await sdk.uploads.cancel(upload.id)).toMatchObject({ id: upload.id, status: "cancelled" });
      expect(server.last()).toMatchObject({ path: `/v1/uploads/${upload.id}/cancel`, body: "", status: 200 });
    },
  },
  {
    section: "1",
    title: "`POST /batches` takes JSON and answers 200 with a Batch that is `validating`",
    async check({ sdk, server }) {
      const file = await upload(sdk);
      const batch = await sdk.batches.create({ input_file_id: file.id, ...chat });
      expect(batch).toMatchObject({ object: "batch", status: "validating" });
      const seen = server.last();
      expect(seen).toMatchObject({ method: "POST", path: "/v1/batches", status: 200 });
      expect(JSON.parse(seen.body)).toEqual({ input_file_id: file.id, ...chat });
    },
  },
  {
    section: "1",
    title: "`GET /batches` answers 200 with a list of Batch",
    async check({ sdk, server }) {
      const { id } = await start(sdk);
      expect((await sdk.batches.list({ limit: 1 })).data).toMatchObject([{ id, object: "batch" }]);
      expect(server.last()).toMatchObject({ method: "GET", path: "/v1/batches?limit=1", status: 200 });
    },
  },
  {
    section: "1",
    title: "`GET /batches/{batch_id}` answers 200 with a Batch",
    async check({ sdk, server }) {
      const { id } = await start(sdk);
      expect(await sdk.batches.retrieve(id)).toMatchObject({ id, object: "batch" });
      expect(server.last()).toMatchObject({ method: "GET", path: `/v1/batches/${id}`, status: 200 });
    },
  },
  {
    section: "1",
    title: "`POST /batches/{batch_id}/cancel` takes no body and answers 200 with the Batch `cancelling`",
    async check({ on }) {
      const { sdk, last } = await on("hanging");
      const { id } = await start(sdk);
      expect(await sdk.batches.cancel(id)).toMatchObject({ id, status: "cancelling" });
      expect(last()).toMatchObject({
        method: "POST",
        path: `/v1/batches/${id}/cancel`,
        body: "",
        status: 200,
      });
    },
  },
  {
    section: "1",
    title: "Every success is 200, never 201, 202 or 204",
    async check({ sdk, server }) {
      const from = server.tap.exchanges.length;
      const batch = await run(sdk);
      await sdk.files.content(batch.output_file_id ?? "");
      await sdk.files.delete(batch.output_file_id ?? "");
      const statuses = server.tap.exchanges.slice(from).map(({ status }) => status);
      expect(new Set(statuses)).toEqual(new Set([200]));
    },
  },
  {
    section: "1",
    title: "There is no `GET /uploads/{id}`, no list of parts, no removal of a part",
    async check({ sdk }) {
      const id = `upload_${"0".repeat(32)}`;
      for (const path of [`/uploads/${id}`, `/uploads/${id}/parts`]) {
        expect(await refusal(sdk.request({ method: "get", path }))).toMatchObject({ status: 404 });
      }
      const path = `/uploads/${id}/parts/part_${"0".repeat(32)}`;
      expect(await refusal(sdk.request({ method: "delete", path }))).toMatchObject({ status: 404 });
    },
  },
  {
    section: "1",
    title: "There is no removal and no change of a batch",
    async check({ sdk }) {
      const { id } = await run(sdk);
      const path = `/batches/${id}`;
      for (const method of ["delete", "post"] as const) {
        const refused = await refusal(sdk.request({ method, path, body: { metadata: {} } }));
        expect(refused).toMatchObject({ status: 404 });
      }
      expect(await sdk.batches.retrieve(id)).toMatchObject({ id });
    },
  },
  {
    section: "1",
    title: "`Authorization: Bearer` is understood on every call",
    async check({ client, server }) {
      const sdk = client({ apiKey: "sk-contract" });
      await sdk.batches.list();
      expect(server.last()).toMatchObject({
        status: 200,
        headers: { authorization: "Bearer sk-contract" },
      });
    },
  },
  {
    section: "1",
    title: "`OpenAI-Organization` and `OpenAI-Project` may be sent",
    difference: "Accepted and not used: a key belongs to a project of its own",
    async check({ client, server }) {
      const headers = { "OpenAI-Organization": "org-1", "OpenAI-Project": "proj_1" };
      await client({ headers }).files.list({ limit: 1 });
      expect(server.last()).toMatchObject({
        status: 200,
        headers: { "openai-organization": "org-1", "openai-project": "proj_1" },
      });
    },
  },
  {
    section: "1",
    title: "Webhook endpoints are managed by `/webhook_endpoints` and `/webhook_event_types`",
    needs: "webhooks.list",
    async check({ sdk }) {
      expect((await sdk.webhooks.list()).data).toBeInstanceOf(Array);
      expect((await sdk.webhooks.eventTypes()).data).toBeInstanceOf(Array);
    },
  },
];
