import { hash } from "node:crypto";
import { expect } from "vitest";
import type { Row } from "../row.ts";
import type { Params, Sdk } from "../sdk/sdk.ts";
import { lines, refusal, run } from "../steps.ts";

const text = lines(3);
const bytes = Buffer.byteLength(text);

/** Files in parts. */
export const uploadRows: Row[] = [
  {
    section: "4",
    title: "An upload is created from `filename`, `purpose`, `bytes` and `mime_type`, all four required",
    async check({ sdk }) {
      for (const name of ["filename", "purpose", "bytes", "mime_type"]) {
        const { [name]: _, ...body } = params as Record<string, unknown>;
        const refused = await refusal(sdk.request({ method: "post", path: "/uploads", body }));
        expect(refused).toMatchObject({ status: 400, param: name, code: "missing_required_parameter" });
      }
    },
  },
  {
    section: "4",
    title: "Unknown keys are refused on create",
    async check({ sdk }) {
      const body = { ...params, colour: "blue" };
      const refused = await refusal(sdk.request({ method: "post", path: "/uploads", body }));
      expect(refused).toMatchObject({ status: 400, param: "colour" });
    },
  },
  {
    section: "4",
    title:
      "An Upload has `id`, `object: upload`, `bytes`, `created_at`, `filename`, `purpose`, `status`, `expires_at`",
    async check({ sdk }) {
      expect(await sdk.uploads.create(params)).toMatchObject({
        id: expect.stringMatching(/^upload_/),
        object: "upload",
        bytes,
        created_at: expect.any(Number),
        filename: "big.jsonl",
        purpose: "batch",
        status: "pending",
        expires_at: expect.any(Number),
      });
    },
  },
  {
    section: "4",
    title: "`expires_at` is `created_at` plus 3,600",
    async check({ sdk }) {
      const { created_at, expires_at } = await sdk.uploads.create(params);
      expect(expires_at).toBe(created_at + 3_600);
    },
  },
  {
    section: "4",
    title: "`file` is null or absent until the upload is completed",
    async check({ sdk }) {
      expect((await sdk.uploads.create(params)).file ?? null).toBeNull();
    },
  },
  {
    section: "4",
    title: "At most 8 GB in all",
    async check({ sdk }) {
      const tooMuch = { ...params, bytes: 8 * 1024 ** 3 + 1 };
      expect(await refusal(sdk.uploads.create(tooMuch))).toMatchObject({
        status: 400,
        message: "File is too large.",
      });
    },
  },
  {
    section: "4",
    title: "After its hour an upload is `expired` and takes no more parts",
    async check({ still }) {
      const { sdk, clock } = await still();
      const { id } = await sdk.uploads.create(params);
      clock.jump(3_600_000);
      expect(await refusal(sdk.uploads.part(id, text))).toMatchObject({ status: 400 });
      expect(await refusal(sdk.uploads.complete(id, { part_ids: [] }))).toMatchObject({ status: 400 });
    },
  },
  {
    section: "4",
    title: "A part is a form with the single field `data`",
    async check({ sdk, server }) {
      const { id } = await sdk.uploads.create(params);
      await sdk.uploads.part(id, text);
      expect(server.last().body).toMatch(/name="data"/);
    },
  },
  {
    section: "4",
    title: "A Part has `id`, `object: upload.part`, `created_at`, `upload_id`",
    async check({ sdk }) {
      const { id } = await sdk.uploads.create(params);
      expect(await sdk.uploads.part(id, text)).toMatchObject({
        id: expect.stringMatching(/^part_/),
        object: "upload.part",
        created_at: expect.any(Number),
        upload_id: id,
      });
    },
  },
  {
    section: "4",
    title: "Parts may come side by side and in any order; the order of `part_ids` is the order of the bytes",
    async check({ sdk }) {
      const { id } = await sdk.uploads.create(params);
      const third = Math.ceil(bytes / 3);
      const pieces = [2, 0, 1].map((index) => text.slice(index * third, (index + 1) * third));
      const parts = await Promise.all(pieces.map((piece) => sdk.uploads.part(id, piece)));
      const part_ids = [1, 2, 0].map((index) => parts[index]?.id);
      const { file } = await sdk.uploads.complete(id, { part_ids });
      expect((await sdk.files.content(file?.id ?? "")).toString()).toBe(text);
    },
  },
  {
    section: "4",
    title: "A part of 64 MiB with the form around it is admitted, one byte more is not",
    async check({ sdk }) {
      const most = 64 * 1024 * 1024;
      const { id } = await sdk.uploads.create({ ...params, bytes: most });
      const part = await sdk.uploads.part(id, Buffer.alloc(most, "\n"));
      expect(part.id).toMatch(/^part_/);
      expect(await refusal(sdk.uploads.part(id, Buffer.alloc(most + 1, "\n")))).toMatchObject({
        status: 400,
      });
      await sdk.uploads.cancel(id);
    },
  },
  {
    section: "4",
    title: "All parts together must have exactly `bytes`",
    async check({ sdk }) {
      const { id } = await sdk.uploads.create({ ...params, bytes: bytes + 1 });
      const part_ids = [(await sdk.uploads.part(id, text)).id];
      expect(await refusal(sdk.uploads.complete(id, { part_ids }))).toMatchObject({ status: 400 });
      const more = await sdk.uploads.part(id, "\n");
      const { file } = await sdk.uploads.complete(id, { part_ids: [...part_ids, more.id] });
      expect(file).toMatchObject({ bytes: bytes + 1 });
    },
  },
  {
    section: "4",
    title: "`md5` in hexadecimal is compared with the whole content",
    async check({ sdk }) {
      expect(await complete(sdk, { md5: hash("md5", text, "hex") })).toMatchObject({ status: "completed" });
      expect(await refusal(complete(sdk, { md5: "0".repeat(32) }))).toMatchObject({ status: 400 });
    },
  },
  {
    section: "4",
    title: "`md5` in base64",
    difference: "Not public at OpenAI which encoding is meant; both are accepted",
    async check({ sdk }) {
      expect(await complete(sdk, { md5: hash("md5", text, "base64") })).toMatchObject({
        status: "completed",
      });
    },
  },
  {
    section: "4",
    title: "No parts after the completion",
    async check({ sdk }) {
      const { id } = await complete(sdk);
      expect(await refusal(sdk.uploads.part(id, text))).toMatchObject({ status: 400 });
    },
  },
  {
    section: "4",
    title: "No parts after a cancel",
    async check({ sdk }) {
      const { id } = await sdk.uploads.create(params);
      await sdk.uploads.cancel(id);
      expect(await refusal(sdk.uploads.part(id, text))).toMatchObject({ status: 400 });
    },
  },
  {
    section: "4",
    title: "`purpose` is `assistants`, `batch`, `fine-tune`, `vision`, `user_data` or `evals`",
    async check({ sdk }) {
      for (const purpose of ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]) {
        expect(await sdk.uploads.create({ ...params, purpose })).toMatchObject({ purpose });
      }
      expect(await refusal(sdk.uploads.create({ ...params, purpose: "x" }))).toMatchObject({
        status: 400,
        param: "purpose",
      });
    },
  },
  {
    section: "4",
    title: "`mime_type` must suit the purpose for `assistants` and `vision`",
    difference: "Not looked at: Nerif runs batches, and for those any type is right",
    async check({ sdk }) {
      for (const mime_type of ["application/jsonl", "text/jsonl", "application/octet-stream"]) {
        expect(await sdk.uploads.create({ ...params, mime_type })).toMatchObject({ status: "pending" });
      }
    },
  },
  {
    section: "4",
    title: "`expires_after` counts for the file that comes of it, with the bounds of §3.1",
    async check({ sdk }) {
      const expires_after = { anchor: "created_at", seconds: 7_200 };
      const { file } = await complete(sdk, {}, { ...params, expires_after });
      expect(file?.expires_at).toBe((file?.created_at ?? 0) + 7_200);
      const tooShort = { ...params, expires_after: { anchor: "created_at", seconds: 3_599 } };
      expect(await refusal(sdk.uploads.create(tooShort))).toMatchObject({
        status: 400,
        param: "expires_after.seconds",
      });
    },
  },
  {
    section: "4",
    title: "The completed Upload has its File, which is `processed`",
    async check({ sdk }) {
      const upload = await complete(sdk);
      expect(upload).toMatchObject({
        status: "completed",
        file: { object: "file", bytes, filename: "big.jsonl", purpose: "batch", status: "processed" },
      });
      expect(await sdk.files.retrieve(upload.file?.id ?? "")).toMatchObject({ id: upload.file?.id });
    },
  },
  {
    section: "4",
    title: "A file from an upload is the input of a batch like any other",
    async check({ sdk }) {
      const { file } = await complete(sdk);
      const params = { endpoint: "/v1/chat/completions", completion_window: "24h" };
      const { id } = await sdk.batches.create({ input_file_id: file?.id, ...params });
      expect(id).toMatch(/^batch_/);
      expect(await run(sdk)).toMatchObject({ status: "completed" });
    },
  },
  {
    section: "4",
    title:
      "Python's `upload_file_chunked` sends 64 MiB parts one after the other, completes, and forwards `md5`",
    only: "python",
    async check({ sdk, server, file }) {
      const content = Buffer.alloc(130 * 1024 * 1024, lines(1_000));
      const path = await file(content, "large.jsonl");
      const from = server.tap.exchanges.length;
      const upload = await sdk.uploads.chunked({
        file: { path },
        mime_type: "application/jsonl",
        purpose: "batch",
        md5: hash("md5", content, "hex"),
      });
      expect(upload).toMatchObject({
        status: "completed",
        filename: "large.jsonl",
        file: { bytes: content.length },
      });
      const sent = server.tap.exchanges.slice(from);
      expect(sent.map(({ path: where }) => where.replace(upload.id, "*"))).toEqual([
        "/v1/uploads",
        ...Array(3).fill("/v1/uploads/*/parts"),
        "/v1/uploads/*/complete",
      ]);
      expect(JSON.parse(sent[0]?.body ?? "")).not.toHaveProperty("expires_after");
      expect(sent[1]?.body).toMatch(/filename="upload"/);
      const stored = await sdk.files.content(upload.file?.id ?? "");
      expect(hash("sha256", stored)).toBe(hash("sha256", content));
    },
  },
  {
    section: "4",
    title: "A file of no bytes gives `part_ids: []`",
    only: "python",
    async check({ sdk, server }) {
      const empty = {
        file: { bytes: "" },
        filename: "a.txt",
        bytes: 0,
        mime_type: "text/plain",
        purpose: "user_data",
      };
      const refused = await refusal(sdk.uploads.chunked(empty));
      expect(refused.status).toBe(400);
      expect(server.last().path).toMatch(/^\/v1\/uploads/);
    },
    difference: "An empty file is refused, as at `POST /files`",
  },
  {
    section: "4",
    title: "Whether `.jsonl` and JSON are asked for at `complete`",
    difference: "Not public at OpenAI; a bad name or first line is refused as at `POST /files`",
    async check({ sdk }) {
      expect(await refusal(complete(sdk, {}, { ...params, filename: "a.txt" }))).toMatchObject({
        status: 400,
      });
      const bad = { ...params, bytes: 9 };
      const { id } = await sdk.uploads.create(bad);
      const part = await sdk.uploads.part(id, "nonsense\n");
      const refused = await refusal(sdk.uploads.complete(id, { part_ids: [part.id] }));
      expect(refused).toMatchObject({ status: 400 });
    },
  },
  {
    section: "4",
    title: "Repeated, unknown and foreign part ids",
    difference: "Not public at OpenAI; 400, and the upload stays pending, as with a wrong size or sum",
    async check({ sdk }) {
      const { id } = await sdk.uploads.create(params);
      const part = await sdk.uploads.part(id, text);
      const other = await sdk.uploads.part((await sdk.uploads.create(params)).id, text);
      for (const part_ids of [[part.id, part.id], [`part_${"0".repeat(32)}`], [other.id]]) {
        expect(await refusal(sdk.uploads.complete(id, { part_ids }))).toMatchObject({ status: 400 });
      }
      expect(await sdk.uploads.complete(id, { part_ids: [part.id] })).toMatchObject({ status: "completed" });
    },
  },
  {
    section: "4",
    title: "Parts that `part_ids` does not name are dropped",
    difference: "Not public at OpenAI; it is so here",
    async check({ sdk }) {
      const { id } = await sdk.uploads.create(params);
      await sdk.uploads.part(id, "unused");
      const part = await sdk.uploads.part(id, text);
      const { file } = await sdk.uploads.complete(id, { part_ids: [part.id] });
      expect((await sdk.files.content(file?.id ?? "")).toString()).toBe(text);
    },
  },
  {
    section: "4",
    title: "A second `complete`",
    difference: "Not public at OpenAI; 409 with `x-should-retry: false`",
    async check({ sdk, server }) {
      const { id } = await complete(sdk);
      expect(await refusal(sdk.uploads.complete(id, { part_ids: [] }))).toMatchObject({ status: 409 });
      expect(server.last().answerHeaders["x-should-retry"]).toBe("false");
    },
  },
  {
    section: "4",
    title: "A cancel after the completion",
    difference: "Not public at OpenAI; 4xx here, and the file stays",
    async check({ sdk }) {
      const { id, file } = await complete(sdk);
      const { status } = await refusal(sdk.uploads.cancel(id));
      expect([400, 409]).toContain(status);
      expect(await sdk.files.retrieve(file?.id ?? "")).toMatchObject({ id: file?.id });
    },
  },
  {
    section: "4",
    title: "An unknown upload is 404",
    difference: "The body is not public at OpenAI; it is like that of an unknown file",
    async check({ sdk }) {
      const id = `upload_${"0".repeat(32)}`;
      for (const call of [
        () => sdk.uploads.part(id, text),
        () => sdk.uploads.complete(id, { part_ids: [] }),
        () => sdk.uploads.cancel(id),
      ]) {
        expect(await refusal(call())).toMatchObject({ status: 404, type: "invalid_request_error" });
      }
    },
  },
];

const params = { filename: "big.jsonl", purpose: "batch", bytes, mime_type: "application/jsonl" };

/** A whole upload of `text` in one part. */
async function complete(sdk: Sdk, with_: Params = {}, create: Params = params) {
  const { id } = await sdk.uploads.create(create);
  const part = await sdk.uploads.part(id, text);
  return sdk.uploads.complete(id, { part_ids: [part.id], ...with_ });
}
