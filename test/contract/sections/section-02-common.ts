import { expect } from "vitest";
import type { Row } from "../row.ts";
import { chat, line, rawBatch, refusal, resultLines, run, start, upload } from "../steps.ts";

const unknownFile = `file-${"x".repeat(22)}`;
const unknownBatch = `batch_${"0".repeat(32)}`;

/** Conventions, errors, headers and ids: §2.1 to §2.4. */
export const commonRows: Row[] = [
  {
    section: "2.1",
    title: "Every `*_at` is a whole number of Unix seconds",
    async check({ sdk }) {
      const batch = await run(sdk);
      const file = await sdk.files.retrieve(batch.output_file_id ?? "");
      const times = [...Object.entries(batch), ...Object.entries(file)].filter(([key]) =>
        key.endsWith("_at"),
      );
      expect(times).toHaveLength(11);
      for (const [, time] of times) {
        if (time === null) continue;
        expect(time).toSatisfy(Number.isInteger);
        expect(Math.abs(Number(time) - Date.now() / 1000)).toBeLessThan(32 * 86_400);
      }
    },
  },
  {
    section: "2.1",
    title: "What is absent in a Batch is an explicit null",
    async check({ sdk, server }) {
      const { id } = await start(sdk);
      const created = JSON.parse(server.last().answer) as Record<string, unknown>;
      const nulls = Object.keys(created).filter((key) => created[key] === null);
      expect(nulls.sort()).toEqual(
        [
          ...["model", "errors", "output_file_id", "error_file_id", "in_progress_at", "finalizing_at"],
          ...[
            "completed_at",
            "failed_at",
            "expired_at",
            "cancelling_at",
            "cancelled_at",
            "usage",
            "metadata",
          ],
        ].sort(),
      );
      expect(Object.keys(await sdk.batches.retrieve(id))).toEqual(expect.arrayContaining(nulls));
    },
  },
  {
    section: "2.1",
    title:
      "`id`, `completion_window`, `created_at`, `endpoint`, `input_file_id`, `object`, `status` of a Batch are always there, from the first answer on",
    async check({ sdk }) {
      const file = await upload(sdk);
      const created = await sdk.batches.create({ input_file_id: file.id, ...chat });
      expect(created).toMatchObject({
        id: expect.any(String),
        object: "batch",
        input_file_id: file.id,
        ...chat,
        created_at: expect.any(Number),
        status: "validating",
      });
    },
  },
  {
    section: "2.1",
    title: "Answers carry `Content-Type: application/json`, errors too",
    async check({ sdk, server }) {
      await sdk.batches.list();
      expect(server.last().answerHeaders["content-type"]).toMatch(/^application\/json/);
      await refusal(sdk.files.retrieve(unknownFile));
      expect(server.last().answerHeaders["content-type"]).toMatch(/^application\/json/);
    },
  },
  {
    section: "2.1",
    title: "No answer is 204, none is an empty JSON body",
    async check({ sdk, server }) {
      await run(sdk);
      const json = server.tap.exchanges.filter(({ answerHeaders }) =>
        /json/.test(answerHeaders["content-type"] ?? ""),
      );
      expect(json.length).toBeGreaterThan(3);
      for (const { status, answer } of json) {
        expect(status).not.toBe(204);
        expect(answer).not.toBe("");
      }
    },
  },
  {
    section: "2.2",
    title: 'An error is `{"error": {message, type, param, code}}`, all four there, `message` and `type` text',
    async check({ sdk, server }) {
      await refusal(sdk.batches.retrieve(unknownBatch));
      expect(JSON.parse(server.last().answer)).toEqual({
        error: {
          message: expect.any(String),
          type: expect.any(String),
          param: expect.toSatisfy((value) => value === null || typeof value === "string"),
          code: expect.toSatisfy((value) => value === null || typeof value === "string"),
        },
      });
    },
  },
  {
    section: "2.2",
    title: "The SDK lifts `code`, `param` and `type` onto its exception",
    async check({ sdk }) {
      const refused = await refusal(rawBatch(sdk, { endpoint: "/v1/chat/completions" }));
      expect(refused).toMatchObject({
        code: "missing_required_parameter",
        param: "input_file_id",
        type: "invalid_request_error",
        message: "Missing required parameter: 'input_file_id'.",
      });
    },
  },
  {
    section: "2.2",
    title: "400 is `BadRequestError`",
    async check({ sdk }) {
      const refused = await refusal(sdk.batches.list({ limit: 101 }));
      expect(refused).toMatchObject({ status: 400, className: "BadRequestError" });
    },
  },
  {
    section: "2.2",
    title: "401 is `AuthenticationError`",
    async check({ still }) {
      const { server, client } = await still();
      await server.instance.service.keys.create({});
      expect(await refusal(client({ apiKey: "sk-wrong" }).batches.list())).toMatchObject({
        status: 401,
        className: "AuthenticationError",
      });
    },
  },
  {
    section: "2.2",
    title: "403 is `PermissionDeniedError`",
    async check({ client }) {
      const sdk = client({ headers: { origin: "https://elsewhere.example" } });
      expect(await refusal(sdk.batches.list())).toMatchObject({
        status: 403,
        className: "PermissionDeniedError",
      });
    },
  },
  {
    section: "2.2",
    title: "404 is `NotFoundError`",
    async check({ sdk }) {
      expect(await refusal(sdk.files.retrieve(unknownFile))).toMatchObject({
        status: 404,
        className: "NotFoundError",
      });
    },
  },
  {
    section: "2.2",
    title: "409 is `ConflictError`",
    async check({ sdk }) {
      const { id } = await run(sdk);
      expect(await refusal(sdk.batches.cancel(id))).toMatchObject({
        status: 409,
        className: "ConflictError",
      });
    },
  },
  {
    section: "2.2",
    title: "422 is `UnprocessableEntityError`",
    difference: "Never sent: what OpenAI refuses on these routes is 400, and so it is here",
  },
  {
    section: "2.2",
    title: "429 is `RateLimitError`",
    async check({ still }) {
      const { server, client } = await still();
      const { key } = await server.instance.service.keys.create({ quotas: { requests_per_second: 1 } });
      const sdk = client({ apiKey: key, maxRetries: 0 });
      await sdk.batches.list();
      await sdk.batches.list();
      expect(await refusal(sdk.batches.list())).toMatchObject({
        status: 429,
        className: "RateLimitError",
      });
    },
  },
  {
    section: "2.2",
    title: "500 and above are `InternalServerError`",
    async check({ still }) {
      const { server, client } = await still();
      await server.instance.control.close();
      expect(await refusal(client({ maxRetries: 0 }).batches.list())).toMatchObject({
        status: expect.toSatisfy((status: number) => status >= 500),
        className: "InternalServerError",
      });
    },
  },
  {
    section: "2.2",
    title: "A body that is no JSON at all would become the message text",
    difference: "Never sent: every refusal has the envelope, also of requests that are not even HTTP",
    async check({ server }) {
      const answer = await fetch(`${server.url}/v1/batches`, { method: "POST", body: "{" });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ error: { type: "invalid_request_error", code: null } });
    },
  },
  {
    section: "2.2",
    title: "Extra top-level keys beside `error` occur and are ignored",
    difference: "None are sent",
    async check({ sdk, server }) {
      await refusal(sdk.files.retrieve(unknownFile));
      expect(Object.keys(JSON.parse(server.last().answer) as object)).toEqual(["error"]);
    },
  },
  {
    section: "2.3",
    title: "`x-request-id` is on every answer, and results have it as `_request_id`",
    async check({ sdk, server }) {
      const batch = await start(sdk);
      expect(batch._request_id).toMatch(/^req_[0-9a-f]{32}$/);
      expect(batch._request_id).toBe(server.last().answerHeaders["x-request-id"]);
      expect((await sdk.batches.retrieve(batch.id))._request_id).toMatch(/^req_[0-9a-f]{32}$/);
    },
  },
  {
    section: "2.3",
    title: "`x-request-id` is on every error, and exceptions have it as `requestID` or `request_id`",
    async check({ sdk, server }) {
      for (const call of [
        () => sdk.files.retrieve(unknownFile),
        () => sdk.batches.list({ limit: 101 }),
        () => sdk.request({ method: "post", path: "/nothing" }),
      ]) {
        const { requestId } = await refusal(call());
        expect(requestId).toMatch(/^req_[0-9a-f]{32}$/);
        expect(requestId).toBe(server.last().answerHeaders["x-request-id"]);
      }
    },
  },
  {
    section: "2.3",
    title: "`openai-processing-ms`, `openai-version` and `openai-organization` inform",
    difference: "Not sent: they would say that OpenAI answered",
    async check({ sdk, server }) {
      await sdk.batches.list();
      const names = Object.keys(server.last().answerHeaders);
      expect(names.filter((name) => name.startsWith("openai-"))).toEqual([]);
    },
  },
  {
    section: "2.3",
    title: "`x-ratelimit-*` on these routes",
    difference: "Not public whether OpenAI sends them here; Nerif sends none",
    async check({ sdk, server }) {
      await sdk.files.list({ limit: 1 });
      const names = Object.keys(server.last().answerHeaders);
      expect(names.filter((name) => name.startsWith("x-ratelimit"))).toEqual([]);
    },
  },
  {
    section: "2.3",
    title: "`X-Client-Request-Id` may be sent",
    async check({ client, server }) {
      await client({ headers: { "X-Client-Request-Id": "mine-1" } }).batches.list();
      expect(server.last()).toMatchObject({ status: 200, headers: { "x-client-request-id": "mine-1" } });
    },
  },
  {
    section: "2.3",
    title: "Almost 64 KiB of request headers are accepted",
    async check({ client, server }) {
      const headers = { "X-Client-Request-Id": "x".repeat(60 * 1024) };
      expect((await client({ headers }).batches.list({ limit: 1 })).data).toBeInstanceOf(Array);
      expect(server.last().status).toBe(200);
    },
  },
  {
    section: "2.4",
    title: "A file's id is `file-` and 22 alphanumerics",
    async check({ sdk }) {
      expect((await upload(sdk)).id).toMatch(/^file-[A-Za-z0-9]{22}$/);
      const batch = await run(sdk);
      expect(batch.output_file_id).toMatch(/^file-[A-Za-z0-9]{22}$/);
    },
  },
  {
    section: "2.4",
    title: "A batch's id is `batch_` and 32 lower-case hexadecimal digits",
    async check({ sdk }) {
      expect((await start(sdk)).id).toMatch(/^batch_[0-9a-f]{32}$/);
    },
  },
  {
    section: "2.4",
    title: "The first eight digits of a batch's id are its `created_at`",
    async check({ sdk }) {
      const { id, created_at } = await start(sdk);
      expect(Number.parseInt(id.slice(6, 14), 16)).toBe(created_at);
    },
  },
  {
    section: "2.4",
    title: "A result line's id is `batch_req_` and 32 hexadecimal digits",
    async check({ sdk }) {
      const batch = await run(sdk, `${line(0)}\n${line(1)}\n`);
      const ids = (await resultLines(sdk, batch.output_file_id)).map(({ id }) => id);
      expect(new Set(ids).size).toBe(2);
      for (const id of ids) expect(id).toMatch(/^batch_req_[0-9a-f]{32}$/);
    },
  },
  {
    section: "2.4",
    title: "`response.request_id` of a result line is an opaque text, never empty",
    difference:
      "The id that the model server sent; 32 hexadecimal digits without `req_`, as OpenAI's, only where it sent none",
    async check({ sdk }) {
      const batch = await run(sdk);
      const [result] = await resultLines(sdk, batch.output_file_id);
      expect(result?.response?.request_id).toMatch(/^req_[0-9a-f]{32}$/);
    },
  },
  {
    section: "2.4",
    title: "`x-request-id` is `req_` and 32 hexadecimal digits, each time another",
    async check({ sdk, server }) {
      await sdk.batches.list();
      const first = server.last().answerHeaders["x-request-id"];
      await sdk.batches.list();
      const second = server.last().answerHeaders["x-request-id"];
      expect(first).toMatch(/^req_[0-9a-f]{32}$/);
      expect(second).toMatch(/^req_[0-9a-f]{32}$/);
      expect(first).not.toBe(second);
    },
  },
  {
    section: "2.4",
    title: "Ids of uploads begin with `upload_`, of parts with `part_`",
    async check({ sdk }) {
      const params = { filename: "a.jsonl", purpose: "batch", bytes: 3, mime_type: "application/jsonl" };
      const { id } = await sdk.uploads.create(params);
      expect(id).toMatch(/^upload_[0-9a-f]{32}$/);
      expect((await sdk.uploads.part(id, "{}\n")).id).toMatch(/^part_[0-9a-f]{32}$/);
    },
  },
  {
    section: "2.4",
    title: "Ids in paths are percent-encoded, and a foreign shape is only unknown",
    async check({ sdk, server }) {
      const id = "file-../a?b#c%d";
      const refused = await refusal(sdk.files.retrieve(id));
      expect(refused).toMatchObject({ status: 404, message: `No such File object: ${id}` });
      expect(server.last().path).toBe(`/v1/files/${encodeURIComponent(id).replaceAll("%2E", ".")}`);
    },
  },
  {
    section: "2.4",
    title: "An empty id is refused by the Python SDK itself",
    only: "python",
    async check({ sdk, server }) {
      const before = server.tap.exchanges.length;
      expect(await refusal(sdk.batches.retrieve(""))).toMatchObject({
        status: null,
        className: "ValueError",
      });
      expect(server.tap.exchanges).toHaveLength(before);
    },
  },
];
