import { expect } from "vitest";
import type { Row } from "../row.ts";
import { chat, lines, rawBatch, refusal, run, start, untilFinal, upload } from "../steps.ts";

const unknownFile = `file-${"x".repeat(22)}`;
const unknownBatch = `batch_${"0".repeat(32)}`;
const refused = "invalid_request_error";

/** HTTP errors, case by case. */
export const errorRows: Row[] = [
  {
    section: "10",
    title: "A bad key: 401 `Incorrect API key provided: …`, `invalid_api_key`, with the key masked",
    async check({ still }) {
      const { server, client } = await still();
      await server.instance.service.keys.create({});
      const bad = "sk-in0123456789abcdef0123456789ge";
      const answer = await refusal(client({ apiKey: bad }).files.list());
      expect(answer).toMatchObject({
        status: 401,
        message: expect.stringMatching(/^Incorrect API key provided: sk-in\.\.\.ge\. /),
        type: refused,
        param: null,
        code: "invalid_api_key",
      });
      expect(JSON.stringify(answer)).not.toContain("0123456789");
    },
  },
  {
    section: "10",
    title: "No key: 401",
    difference: "The wording is not public at OpenAI; type `invalid_request_error`, code null",
    async check({ still }) {
      const { server } = await still();
      await server.instance.service.keys.create({});
      const answer = await server.send("/v1/files");
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ error: { type: refused, param: null, code: null } });
    },
  },
  {
    section: "10",
    title: "An unknown file (get, delete, content): 404 `No such File object: <id>`, param `id`, code null",
    async check({ sdk }) {
      for (const call of ["retrieve", "delete", "content"] as const) {
        expect(await refusal(sdk.files[call](unknownFile))).toMatchObject({
          status: 404,
          message: `No such File object: ${unknownFile}`,
          type: refused,
          param: "id",
          code: null,
        });
      }
    },
  },
  {
    section: "10",
    title: "An unknown batch (get, cancel): 404 `No batch found with id '<id>'.`, param null, code null",
    async check({ sdk }) {
      for (const call of ["retrieve", "cancel"] as const) {
        expect(await refusal(sdk.batches[call](unknownBatch))).toMatchObject({
          status: 404,
          message: `No batch found with id '${unknownBatch}'.`,
          type: refused,
          param: null,
          code: null,
        });
      }
    },
  },
  {
    section: "10",
    title:
      "Create, missing field: 400 `Missing required parameter: 'input_file_id'.`, `missing_required_parameter`",
    async check({ sdk }) {
      expect(await refusal(rawBatch(sdk, chat))).toMatchObject({
        status: 400,
        message: "Missing required parameter: 'input_file_id'.",
        type: refused,
        param: "input_file_id",
        code: "missing_required_parameter",
      });
    },
  },
  {
    section: "10",
    title:
      "Create, bad endpoint: 400 `Invalid value: '/v1/x'. Supported values are: …, and '…'.`, param `endpoint`, `invalid_value`",
    async check({ sdk }) {
      expect(await refusal(start(sdk, undefined, { endpoint: "/v1/x" }))).toMatchObject({
        status: 400,
        message: expect.stringMatching(
          /^Invalid value: '\/v1\/x'\. Supported values are: ('\/v1\/[a-z/]+', )+and '\/v1\/[a-z/]+'\.$/,
        ),
        type: refused,
        param: "endpoint",
        code: "invalid_value",
      });
    },
  },
  {
    section: "10",
    title: "Create, bad completion window (`1h`, empty): 400, param `completion_window`",
    async check({ sdk }) {
      for (const completion_window of ["1h", ""]) {
        expect(await refusal(start(sdk, undefined, { completion_window }))).toMatchObject({
          status: 400,
          message: `Invalid value: '${completion_window}'. Supported values are: '24h'.`,
          type: refused,
          param: "completion_window",
          code: "invalid_value",
        });
      }
    },
  },
  {
    section: "10",
    title:
      "Create, a value of `metadata` that is no text: 400 `Invalid type for 'metadata.tags': expected a string, but got an array instead.`",
    async check({ sdk }) {
      expect(await refusal(start(sdk, undefined, { metadata: { tags: ["a"] } }))).toMatchObject({
        status: 400,
        message: "Invalid type for 'metadata.tags': expected a string, but got an array instead.",
        type: refused,
        param: "metadata.tags",
        code: "invalid_type",
      });
    },
  },
  {
    section: "10",
    title:
      "Create, `metadata` too long or too many: 400 `string_above_max_length`, `object_above_max_properties`",
    async check({ sdk }) {
      const metadata = { long: "x".repeat(513) };
      expect(await refusal(start(sdk, undefined, { metadata }))).toMatchObject({
        status: 400,
        code: "string_above_max_length",
      });
      const many = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, "v"]));
      expect(await refusal(start(sdk, undefined, { metadata: many }))).toMatchObject({
        status: 400,
        code: "object_above_max_properties",
      });
    },
  },
  {
    section: "10",
    title: "Create, unknown input file: 400 `Cannot find file file-…`",
    difference: "The sources disagree; always 400 with param `input_file_id`",
    async check({ sdk }) {
      expect(await refusal(sdk.batches.create({ input_file_id: unknownFile, ...chat }))).toMatchObject({
        status: 400,
        message: expect.stringMatching(`^Cannot find file ${unknownFile}`),
        type: refused,
        param: "input_file_id",
        code: null,
      });
    },
  },
  {
    section: "10",
    title: "Create, a file of another purpose",
    difference: "Not public at OpenAI; 400 with param `input_file_id`",
    async check({ sdk }) {
      const { id } = await sdk.files.create({ file: { bytes: "{}", name: "a.jsonl" }, purpose: "evals" });
      expect(await refusal(sdk.batches.create({ input_file_id: id, ...chat }))).toMatchObject({
        status: 400,
        type: refused,
        param: "input_file_id",
      });
    },
  },
  {
    section: "10",
    title: "Create, more than 2,000 per hour: 429",
    difference: "OpenAI's own operation; quotas of keys answer 429 instead",
  },
  {
    section: "10",
    title:
      "Cancel of `completed` or `failed`: 409 `Cannot cancel a batch with status 'completed'.`, param null, code null",
    async check({ sdk }) {
      for (const [status, text] of [
        ["completed", lines(1)],
        ["failed", `${lines(1)}nonsense\n`],
      ] as const) {
        const { id } = await run(sdk, text);
        expect(await refusal(sdk.batches.cancel(id))).toMatchObject({
          status: 409,
          message: `Cannot cancel a batch with status '${status}'.`,
          type: refused,
          param: null,
          code: null,
        });
      }
    },
  },
  {
    section: "10",
    title: "Cancel of `cancelled`: 200 with the batch",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const { id } = await start(sdk);
      await sdk.batches.cancel(id);
      const { cancelled_at } = await untilFinal(sdk, id);
      expect(await sdk.batches.cancel(id)).toMatchObject({ id, status: "cancelled", cancelled_at });
    },
  },
  {
    section: "10",
    title: "Cancel of `cancelling` and of `expired`",
    difference: "Not public at OpenAI; 200 and 409",
    async check({ on }) {
      const slow = await on("slow");
      const { id } = await start(slow.sdk, lines(100));
      await slow.sdk.batches.cancel(id);
      const again = await slow.sdk.batches.cancel(id);
      expect(["cancelling", "cancelled"]).toContain(again.status);
      const hanging = await on("hanging");
      const expired = await run(hanging.sdk, lines(1), { completion_window: "2s" });
      expect(await refusal(hanging.sdk.batches.cancel(expired.id))).toMatchObject({
        status: 409,
        message: "Cannot cancel a batch with status 'expired'.",
      });
    },
  },
  {
    section: "10",
    title:
      "List of batches, `limit` above 100: 400 `Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.`",
    async check({ sdk }) {
      expect(await refusal(sdk.batches.list({ limit: 101 }))).toMatchObject({
        status: 400,
        message:
          "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        type: refused,
        param: "limit",
        code: "integer_above_max_value",
      });
    },
  },
  {
    section: "10",
    title:
      "List of batches, `limit` below 0: 400 `Invalid 'limit': integer below minimum value. Expected a value >= 0, but got -1 instead.`",
    async check({ sdk }) {
      expect(await refusal(sdk.batches.list({ limit: -1 }))).toMatchObject({
        status: 400,
        message: "Invalid 'limit': integer below minimum value. Expected a value >= 0, but got -1 instead.",
        type: refused,
        param: "limit",
        code: "integer_below_min_value",
      });
    },
  },
  {
    section: "10",
    title:
      "Upload, bad purpose: 400 `'x' is not one of ['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals'] - 'purpose'`",
    async check({ sdk }) {
      const file = { bytes: "{}", name: "a.jsonl" };
      expect(await refusal(sdk.files.create({ file, purpose: "x" }))).toMatchObject({
        status: 400,
        message:
          "'x' is not one of ['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals'] - 'purpose'",
        type: refused,
        param: "purpose",
        code: null,
      });
    },
  },
  {
    section: "10",
    title:
      "Upload, not `.jsonl`: 400 `Invalid file format for Batch API. Must be .jsonl`, param null, code null",
    async check({ sdk }) {
      expect(await refusal(upload(sdk, "{}\n", "a.csv"))).toMatchObject({
        status: 400,
        message: "Invalid file format for Batch API. Must be .jsonl",
        type: refused,
        param: null,
        code: null,
      });
    },
  },
  {
    section: "10",
    title: "Upload, too large: 400 `File is too large.`",
    difference:
      "No limit but the disk, which is 507 with `x-should-retry: false`, unless `--max-file-bytes` or `--strict` sets one: then it is this",
  },
  {
    section: "10",
    title: "Upload, bad `expires_after`: 400",
    async check({ sdk }) {
      const file = { bytes: "{}\n", name: "a.jsonl" };
      const expires_after = { anchor: "created_at", seconds: 1 };
      expect(await refusal(sdk.files.create({ file, purpose: "batch", expires_after }))).toMatchObject({
        status: 400,
        message:
          "Invalid 'expires_after.seconds': integer below minimum value. Expected a value >= 3600, but got 1 instead.",
        type: refused,
        param: "expires_after.seconds",
        code: "integer_below_min_value",
      });
    },
  },
  {
    section: "10",
    title:
      "Content of a purpose that is not given back: 400 `Not allowed to download files of purpose: user_data`, param null, code null",
    async check({ sdk }) {
      const { id } = await sdk.files.create({ file: { bytes: "x", name: "a.txt" }, purpose: "user_data" });
      expect(await refusal(sdk.files.content(id))).toMatchObject({
        status: 400,
        message: "Not allowed to download files of purpose: user_data",
        type: refused,
        param: null,
        code: null,
      });
    },
  },
  {
    section: "10",
    title: "Unknown route: 404 `Invalid URL (POST /v1/…)`",
    async check({ sdk }) {
      expect(await refusal(sdk.request({ method: "post", path: "/nothing" }))).toMatchObject({
        status: 404,
        message: "Invalid URL (POST /v1/nothing)",
        type: refused,
      });
    },
  },
];
