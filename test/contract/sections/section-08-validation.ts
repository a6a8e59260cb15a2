import { expect } from "vitest";
import type { Row } from "../row.ts";
import { inputErrors, line, lines, rawBatch, refusal, run } from "../steps.ts";

const hi = [{ role: "user", content: "Hi" }];

/** What validation says about an input. */
export const validationRows: Row[] = [
  {
    section: "8",
    title: "Each entry has `code`, `message`, `param` (or null) and `line` (or null)",
    async check({ sdk }) {
      const errors = await inputErrors(sdk, `{}\nnonsense\n${lines(1)}`);
      expect(errors).toHaveLength(5);
      for (const error of errors) {
        expect(error).toEqual({
          code: expect.any(String),
          message: expect.any(String),
          param: expect.toSatisfy((param) => param === null || typeof param === "string"),
          line: expect.any(Number),
        });
      }
    },
  },
  {
    section: "8",
    title: "Lines are counted from 1",
    async check({ sdk }) {
      expect(await inputErrors(sdk, line(0, { url: undefined }))).toMatchObject([{ line: 1 }]);
    },
  },
  {
    section: "8",
    title: "Every bad line is listed, in the order of the file",
    async check({ sdk }) {
      const text = [line(0), "nonsense", line(2, { method: undefined }), line(3), line(0)].join("\n");
      const errors = await inputErrors(sdk, text);
      expect(errors.map((error) => [error.line, error.code])).toEqual([
        [2, "invalid_json_line"],
        [3, "missing_required_parameter"],
        [5, "duplicate_custom_id"],
      ]);
    },
  },
  {
    section: "8",
    title: "How many entries are listed",
    difference: "Not public at OpenAI; the first 1,000, and one more says how many there are beside",
    async check({ sdk }) {
      const errors = await inputErrors(sdk, `${line(0)}\n${"nonsense\n".repeat(1_500)}`);
      expect(errors).toHaveLength(1_001);
      expect(errors.at(-1)?.message).toMatch(/^500 more/);
    },
  },
  {
    section: "8",
    title: "Several entries for one line",
    difference: "Not public at OpenAI; everything that is missing is listed",
    async check({ sdk }) {
      const errors = await inputErrors(sdk, "{}");
      expect(errors.map(({ line: at, param }) => [at, param])).toEqual([
        [1, "custom_id"],
        [1, "method"],
        [1, "url"],
        [1, "body"],
      ]);
    },
  },
  {
    section: "8",
    title: "One bad line fails the whole batch: nothing runs",
    async check({ sdk }) {
      expect(await run(sdk, `${lines(9)}nonsense\n`)).toMatchObject({
        status: "failed",
        in_progress_at: null,
        output_file_id: null,
        error_file_id: null,
        request_counts: { total: 0 },
      });
    },
  },
  {
    section: "8",
    title: "`invalid_json_line`: `This line is not parseable as valid JSON.`",
    async check({ sdk }) {
      expect(await inputErrors(sdk, `${lines(1)}nonsense\n`)).toEqual([
        {
          code: "invalid_json_line",
          message: "This line is not parseable as valid JSON.",
          param: null,
          line: 2,
        },
      ]);
    },
  },
  ...["custom_id", "method", "url", "body"].map(
    (key): Row => ({
      section: "8",
      title: `\`missing_required_parameter\`: \`Missing required parameter: '${key}'.\``,
      async check({ sdk }) {
        expect(await inputErrors(sdk, line(0, { [key]: undefined }))).toEqual([
          {
            code: "missing_required_parameter",
            message: `Missing required parameter: '${key}'.`,
            param: key,
            line: 1,
          },
        ]);
      },
    }),
  ),
  {
    section: "8",
    title: "`duplicate_custom_id`: `The custom_id for this request is a duplicate of another request. …`",
    async check({ sdk }) {
      expect(await inputErrors(sdk, `${line(0)}\n${line(0)}\n`)).toEqual([
        {
          code: "duplicate_custom_id",
          message:
            "The custom_id for this request is a duplicate of another request. The custom_id parameter must be unique for each request in a batch.",
          param: "custom_id",
          line: 2,
        },
      ]);
    },
  },
  {
    section: "8",
    title: "`mismatched_model`: `The model 'x' for this request does not match the rest of the batch. …`",
    difference: "With `--strict` only",
    async check({ on }) {
      const { sdk } = await on("strict");
      const text = lines(2, (index) => ({ body: { model: index === 0 ? "a" : "x", messages: hi } }));
      expect(await inputErrors(sdk, text)).toEqual([
        {
          code: "mismatched_model",
          message:
            "The model 'x' for this request does not match the rest of the batch. Each batch must contain requests for a single model.",
          param: "body.model",
          line: 2,
        },
      ]);
    },
  },
  {
    section: "8",
    title: "`invalid_url`: `The URL provided for this request does not match the batch endpoint.`",
    difference: "With `--strict` only; else `invalid_url` names the urls that are supported",
    async check({ sdk, on }) {
      const text = line(0, { url: "/v1/embeddings", body: { model: "m", input: "x" } });
      const strict = await on("strict");
      expect(await inputErrors(strict.sdk, text)).toEqual([
        {
          code: "invalid_url",
          message: "The URL provided for this request does not match the batch endpoint.",
          param: "url",
          line: 1,
        },
      ]);
      expect(await inputErrors(sdk, line(0, { url: "/v1/x" }))).toMatchObject([
        { code: "invalid_url", param: "url", message: expect.stringMatching(/\/v1\/x.*\/v1\/embeddings/) },
      ]);
    },
  },
  {
    section: "8",
    title: "`model_not_found`: `The provided model 'x' is not supported by the Batch API.`",
    async check({ on }) {
      const { sdk } = await on("pooled");
      const text = line(0, { body: { model: "x", messages: hi } });
      expect(await inputErrors(sdk, text)).toEqual([
        {
          code: "model_not_found",
          message: "The provided model 'x' is not supported by the Batch API.",
          param: "body.model",
          line: 1,
        },
      ]);
    },
  },
  {
    section: "8",
    title: "`streaming_unsupported`: `Chat Completions: Streaming is not supported in the Batch API.`",
    async check({ sdk }) {
      const body = { model: "simulated", messages: hi, stream: true };
      expect(await inputErrors(sdk, line(0, { body }))).toEqual([
        {
          code: "streaming_unsupported",
          message: "Chat Completions: Streaming is not supported in the Batch API.",
          param: "body.stream",
          line: 1,
        },
      ]);
    },
  },
  {
    section: "8",
    title: "`invalid_request`: `Model parameter is required.`",
    async check({ sdk }) {
      expect(await inputErrors(sdk, line(0, { body: { messages: hi } }))).toEqual([
        { code: "invalid_request", message: "Model parameter is required.", param: "body.model", line: 1 },
      ]);
    },
  },
  {
    section: "8",
    title: "`invalid_request`: `Messages parameter is required.`",
    difference: "Parameters of a model are the model server's to judge: it answers 400, and the line fails",
    async check({ sdk }) {
      const batch = await run(sdk, line(0, { body: { model: "simulated" } }));
      expect(batch.errors).toBeNull();
    },
  },
  {
    section: "8",
    title: "`invalid_request` without a line: `Cannot find file file-…`",
    difference: "Refused at create with 400, as OpenAI also did at times",
    async check({ sdk }) {
      const input_file_id = `file-${"x".repeat(22)}`;
      const params = { endpoint: "/v1/chat/completions", completion_window: "24h" };
      const refused = await refusal(rawBatch(sdk, { input_file_id, ...params }));
      expect(refused).toMatchObject({
        status: 400,
        param: "input_file_id",
        message: expect.stringMatching(`^Cannot find file ${input_file_id}`),
      });
    },
  },
  {
    section: "8",
    title: "`token_limit_exceeded`: `Enqueued token limit reached …`",
    difference: "Nerif has no quota of tokens; a model server that throttles makes a batch wait, not fail",
  },
  {
    section: "8",
    title: "`The batch input file is larger than the 209715200 maximum …` (its code was not recorded)",
    difference: "With `--strict` only, as `file_too_large`; see §7",
  },
  {
    section: "8",
    title:
      "`url_not_found`, `empty_file`, `too_many_tasks`, `url_mismatch`, `model_mismatch`, `empty_batch` of other vendors",
    difference: "Not OpenAI's; of them only `empty_file` is used, for a file of blank lines",
  },
  {
    section: "8",
    title: "Codes for too many lines, a wrong method, too many embedding inputs",
    difference: "Not public at OpenAI; `too_many_lines` (strict), `invalid_method`, none",
    async check({ sdk }) {
      expect(await inputErrors(sdk, line(0, { method: "GET" }))).toMatchObject([{ code: "invalid_method" }]);
    },
  },
  {
    section: "8",
    title: "A line beyond the largest",
    difference: "Not public at OpenAI; `line_too_large` beyond 10 MiB, which `--max-line-bytes` moves",
    async check({ sdk }) {
      const text = `${line(0)}\n${line(1, { padding: "x".repeat(10 * 1024 * 1024) })}\n`;
      expect(await inputErrors(sdk, text)).toMatchObject([{ code: "line_too_large", line: 2 }]);
    },
  },
];
