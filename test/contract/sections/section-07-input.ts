import { expect } from "vitest";
import type { Row } from "../row.ts";
import { inputErrors, line, lines, resultLines, run, untilFinal } from "../steps.ts";

/** The input file. */
export const inputRows: Row[] = [
  {
    section: "7",
    title: "One JSON object per line with `custom_id`, `method`, `url` and `body`",
    async check({ sdk }) {
      const batch = await run(sdk, lines(3));
      expect(batch).toMatchObject({ status: "completed", request_counts: { total: 3, completed: 3 } });
      const results = await resultLines(sdk, batch.output_file_id);
      expect(results.map(({ custom_id }) => custom_id)).toEqual(["row-0", "row-1", "row-2"]);
    },
  },
  {
    section: "7",
    title: "`custom_id` is unique in the file",
    async check({ sdk }) {
      const errors = await inputErrors(sdk, `${line(0)}\n${line(1)}\n${line(0)}\n`);
      expect(errors).toMatchObject([{ code: "duplicate_custom_id", line: 3 }]);
    },
  },
  {
    section: "7",
    title: "`method` is `POST`",
    async check({ sdk }) {
      for (const method of ["GET", "post", "PUT"]) {
        const errors = await inputErrors(sdk, line(0, { method }));
        expect(errors).toMatchObject([{ code: "invalid_method", line: 1, param: "method" }]);
      }
    },
  },
  {
    section: "7",
    title: "`url` is exactly the `endpoint` of the batch",
    difference: "Any supported endpoint may stand there; `--strict` restores the refusal",
    async check({ sdk, on }) {
      const mixed = `${line(0)}\n${line(1, { url: "/v1/embeddings", body: { model: "simulated", input: "x" } })}\n`;
      expect(await run(sdk, mixed)).toMatchObject({ status: "completed", request_counts: { completed: 2 } });
      const strict = await on("strict");
      expect(await inputErrors(strict.sdk, mixed)).toMatchObject([{ code: "invalid_url", line: 2 }]);
    },
  },
  {
    section: "7",
    title: "`body` is an object, the endpoint's own parameters",
    async check({ sdk }) {
      for (const body of ["text", [], 1, true]) {
        const errors = await inputErrors(sdk, line(0, { body }));
        expect(errors).toMatchObject([{ line: 1, param: "body" }]);
      }
    },
  },
  {
    section: "7",
    title: "The same model on every line",
    difference: "Any; `--strict` restores the refusal",
    async check({ sdk, on }) {
      const mixed = lines(2, (index) => ({
        body: { model: index === 0 ? "simulated" : "absent", messages: [] },
      }));
      expect(await run(sdk, mixed)).toMatchObject({ status: "completed", model: null });
      const strict = await on("strict");
      expect(await inputErrors(strict.sdk, mixed)).toMatchObject([{ code: "mismatched_model", line: 2 }]);
    },
  },
  {
    section: "7",
    title: "`stream: true` is refused in validation",
    async check({ sdk }) {
      const errors = await inputErrors(
        sdk,
        line(0, { body: { model: "simulated", messages: [], stream: true } }),
      );
      expect(errors).toMatchObject([{ code: "streaming_unsupported", line: 1 }]);
    },
  },
  {
    section: "7",
    title: "Lines for `/v1/images/edits` and `/v1/videos` are JSON with assets by id or URL",
    difference: "These endpoints are refused",
    async check({ sdk }) {
      for (const url of ["/v1/images/generations", "/v1/images/edits", "/v1/videos"]) {
        expect(await inputErrors(sdk, line(0, { url }))).toMatchObject([{ code: "invalid_url", line: 1 }]);
      }
    },
  },
  {
    section: "7",
    title: "`/v1/moderations` takes text or an array, and refuses `stream: true`",
    async check({ sdk }) {
      const endpoint = "/v1/moderations";
      const inputs = ["text", ["a", "b"], [{ type: "text", text: "a" }]];
      const text = inputs.map((input, index) => line(index, { url: endpoint, body: { input } })).join("\n");
      expect(await run(sdk, text, { endpoint })).toMatchObject({
        request_counts: { total: 3, completed: 3 },
      });
      const streamed = line(0, { url: endpoint, body: { input: "a", stream: true } });
      expect(await inputErrors(sdk, streamed, { endpoint })).toMatchObject([
        { code: "streaming_unsupported" },
      ]);
    },
  },
  {
    section: "7",
    title: "At most 50,000 lines",
    difference: "No limit; `--strict` restores it",
    async check({ on }) {
      const { sdk } = await on("strict");
      const errors = await inputErrors(sdk, lines(50_001));
      expect(errors).toMatchObject([{ code: "too_many_lines", line: null }]);
    },
  },
  {
    section: "7",
    title: "At most 209,715,200 bytes",
    difference: "The limit is the disk; `--strict` restores OpenAI's",
    async check({ on, file }) {
      const { sdk } = await on("strict");
      const filler = Buffer.alloc(209_715_201, " ");
      filler.write(`${line(0)}\n`);
      const path = await file(filler);
      const { id } = await sdk.files.create({ file: { path }, purpose: "batch" });
      const params = { endpoint: "/v1/chat/completions", completion_window: "24h" };
      const batch = await sdk.batches.create({ input_file_id: id, ...params });
      expect(await untilFinal(sdk, batch.id)).toMatchObject({
        status: "failed",
        errors: { data: [{ code: "file_too_large", line: null }] },
      });
    },
  },
  {
    section: "7",
    title: "At most 50,000 embedding inputs over all lines",
    difference: "No limit: what one call may carry is the model server's own business",
  },
  {
    section: "7",
    title:
      "2,000 creations per hour, a quota of enqueued tokens per model, 1 million enqueued embedding requests",
    difference: "OpenAI's own operation; keys have quotas of queued lines and of requests per second instead",
  },
  {
    section: "7",
    title: "A newline at the end may be there or not",
    async check({ sdk }) {
      for (const text of [lines(2), lines(2).trimEnd()]) {
        expect(await run(sdk, text)).toMatchObject({ request_counts: { total: 2, completed: 2 } });
      }
    },
  },
  {
    section: "7",
    title: "A byte order mark makes line 1 fail as `invalid_json_line`",
    difference: "Skipped at the start of the file",
    async check({ sdk }) {
      const batch = await run(sdk, `\ufeff${lines(1)}`);
      expect(batch).toMatchObject({ status: "completed", request_counts: { completed: 1 } });
    },
  },
  {
    section: "7",
    title: "Blank lines and CRLF",
    difference: "Not public at OpenAI; blank lines are skipped but counted, CRLF is fine",
    async check({ sdk }) {
      const text = `\r\n${line(0)}\r\n\r\n${line(1)}\r\n`;
      expect(await run(sdk, text)).toMatchObject({ request_counts: { total: 2, completed: 2 } });
      expect(await inputErrors(sdk, `\n\n${line(0)}\n\nnonsense\n`)).toMatchObject([{ line: 5 }]);
    },
  },
  {
    section: "7",
    title: "Unknown keys of a line",
    difference: "Not public at OpenAI; ignored here",
    async check({ sdk }) {
      const batch = await run(sdk, line(0, { comment: "mine", priority: 3 }));
      expect(batch).toMatchObject({ request_counts: { completed: 1 } });
    },
  },
  {
    section: "7",
    title: "Repeated keys of a line",
    difference: "Not public at OpenAI; refused, since nobody could say which counts",
    async check({ sdk }) {
      const text = line(0).replace("{", '{"url":"/v1/embeddings",');
      expect(await inputErrors(sdk, text)).toMatchObject([
        { code: "invalid_request", param: "url", line: 1 },
      ]);
    },
  },
  {
    section: "7",
    title: "A `custom_id` that is empty, long, or no text",
    difference: "Not public at OpenAI; `invalid_custom_id` unless it is text of 1 to 512 bytes",
    async check({ sdk }) {
      const longest = "x".repeat(512);
      expect(await run(sdk, line(0, { custom_id: longest }))).toMatchObject({ status: "completed" });
      for (const custom_id of ["", `${longest}x`, 7, null]) {
        const errors = await inputErrors(sdk, line(0, { custom_id }));
        expect(errors).toMatchObject([{ code: "invalid_custom_id", param: "custom_id", line: 1 }]);
      }
    },
  },
];
