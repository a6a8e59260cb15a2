import { expect } from "vitest";
import type { BatchObject } from "../../../src/batch/batch.ts";
import type { Row } from "../row.ts";
import type { Sdk } from "../sdk/sdk.ts";
import { line, lines, type ResultLine, resultLines, run, start, until, untilFinal } from "../steps.ts";

/** Output and error files. */
export const resultRows: Row[] = [
  {
    section: "9",
    title: "JSONL: one object a line, each line with its newline",
    async check({ sdk }) {
      const batch = await run(sdk, lines(3));
      const text = (await sdk.files.content(batch.output_file_id ?? "")).toString();
      expect(text.endsWith("\n")).toBe(true);
      expect(
        text
          .trimEnd()
          .split("\n")
          .map((each) => typeof JSON.parse(each)),
      ).toEqual(Array(3).fill("object"));
    },
  },
  {
    section: "9",
    title: "Every line of the input is in exactly one of the two files",
    async check({ sdk }) {
      const batch = await run(
        sdk,
        lines(20, (index) => (index % 3 === 0 ? absent : {})),
      );
      const ids = (await both(sdk, batch)).map(({ custom_id }) => custom_id);
      expect(ids.sort()).toEqual(Array.from({ length: 20 }, (_, index) => `row-${index}`).sort());
    },
  },
  {
    section: "9",
    title: "The order is not that of the input; clients match by `custom_id`",
    difference: "Both files are in the order of the input",
    async check({ on }) {
      const { sdk } = await on("slow");
      const batch = await run(sdk, lines(20));
      const ids = (await resultLines(sdk, batch.output_file_id)).map(({ custom_id }) => custom_id);
      expect(ids).toEqual(Array.from({ length: 20 }, (_, index) => `row-${index}`));
    },
  },
  {
    section: "9",
    title:
      "Success is a line of the output file: `id`, `custom_id`, `response` with `status_code`, `request_id`, `body`, and `error: null`",
    async check({ sdk }) {
      const batch = await run(sdk);
      expect(await resultLines(sdk, batch.output_file_id)).toEqual([
        {
          id: expect.stringMatching(/^batch_req_/),
          custom_id: "row-0",
          response: {
            status_code: 200,
            request_id: expect.any(String),
            body: expect.objectContaining({ object: "chat.completion" }),
          },
          error: null,
        },
      ]);
    },
  },
  {
    section: "9",
    title:
      "A refusal by the model is a line of the error file, with the status and the whole body of the answer",
    async check({ sdk }) {
      const batch = await run(sdk, line(0, absent));
      const [failed] = await resultLines(sdk, batch.error_file_id);
      expect(failed?.response).toMatchObject({
        status_code: 404,
        request_id: expect.any(String),
        body: { error: { message: expect.any(String), type: expect.any(String) } },
      });
    },
  },
  {
    section: "9",
    title: "Its top-level `error` is null",
    difference: "It repeats `code`, `message` and `type`, so that readers of either half are served",
    async check({ sdk }) {
      const batch = await run(sdk, line(0, absent));
      const [failed] = await resultLines(sdk, batch.error_file_id);
      const inner = failed?.response?.body?.error as { message: string };
      expect(failed?.error).toEqual({
        code: expect.any(String),
        message: inner.message,
        type: expect.any(String),
      });
    },
  },
  {
    section: "9",
    title:
      "A line that never ran is in the error file with `response: null` and `error` of `code` and `message`",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const batch = await run(sdk, lines(2), { completion_window: "2s" });
      for (const failed of await resultLines(sdk, batch.error_file_id)) {
        expect(failed).toMatchObject({
          response: null,
          error: { code: expect.any(String), message: expect.any(String) },
        });
      }
    },
  },
  {
    section: "9",
    title: "200: output file, counted in `completed`",
    async check({ sdk }) {
      const batch = await run(sdk, lines(2));
      expect(batch.request_counts).toEqual({ total: 2, completed: 2, failed: 0 });
      expect(await resultLines(sdk, batch.output_file_id)).toHaveLength(2);
    },
  },
  {
    section: "9",
    title: "A final 4xx: error file with that status, counted in `failed`",
    async check({ sdk }) {
      const batch = await run(
        sdk,
        lines(3, (index) => (index === 1 ? absent : {})),
      );
      expect(batch.request_counts).toEqual({ total: 3, completed: 2, failed: 1 });
      expect(await resultLines(sdk, batch.error_file_id)).toMatchObject([
        { custom_id: "row-1", response: { status_code: 404 } },
      ]);
    },
  },
  {
    section: "9",
    title: "A final 5xx: error file with that status, counted in `failed`, in a `completed` batch",
    async check({ on }) {
      const { sdk } = await on("failing");
      const batch = await run(sdk, lines(2));
      expect(batch).toMatchObject({
        status: "completed",
        request_counts: { total: 2, completed: 0, failed: 2 },
      });
      expect(await resultLines(sdk, batch.error_file_id)).toMatchObject([
        { response: { status_code: 500 } },
        { response: { status_code: 500 } },
      ]);
    },
  },
  {
    section: "9",
    title: "Not run when the window was over: error file, `batch_expired`, in neither count",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const batch = await run(sdk, lines(3), { completion_window: "2s" });
      expect(batch).toMatchObject({
        status: "expired",
        request_counts: { total: 3, completed: 0, failed: 0 },
      });
      expect((await resultLines(sdk, batch.error_file_id)).map(({ error }) => error)).toEqual(
        Array(3).fill({
          code: "batch_expired",
          message: "This request could not be executed before the completion window expired.",
          type: expect.any(String),
        }),
      );
    },
  },
  {
    section: "9",
    title:
      "Tried, and waiting for another try when the batch ended: the last error of the model server, in neither count",
    async check({ on }) {
      const { sdk, upstream } = await on("patient");
      const before = upstream.served.requests;
      const { id } = await start(sdk);
      // A second try is sent only after the answer to the first one was noted.
      await until(sdk, id, () => upstream.served.requests >= before + 2);
      await sdk.batches.cancel(id);
      const batch = await untilFinal(sdk, id);
      expect(batch).toMatchObject({
        status: "cancelled",
        request_counts: { total: 1, completed: 0, failed: 0 },
      });
      expect(await resultLines(sdk, batch.error_file_id)).toMatchObject([{ response: { status_code: 500 } }]);
    },
  },
  {
    section: "9",
    title: "Not run when the batch was cancelled: error file, `batch_cancelled`, in neither count",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const { id } = await start(sdk, lines(3));
      await until(sdk, id, ({ status }) => status === "in_progress");
      await sdk.batches.cancel(id);
      const batch = await untilFinal(sdk, id);
      expect(batch).toMatchObject({
        status: "cancelled",
        request_counts: { total: 3, completed: 0, failed: 0 },
      });
      expect((await resultLines(sdk, batch.error_file_id)).map(({ error }) => error)).toEqual(
        Array(3).fill({
          code: "batch_cancelled",
          message: "This request was not executed because the batch was cancelled.",
          type: expect.any(String),
        }),
      );
    },
  },
  {
    section: "9",
    title:
      "Finished before or while cancelling: output file as usual; a batch cancelled in the middle has both files",
    async check({ on }) {
      const { sdk } = await on("slow");
      const { id } = await start(sdk, lines(400));
      await until(sdk, id, ({ request_counts }) => request_counts.completed > 0);
      await sdk.batches.cancel(id);
      const batch = await untilFinal(sdk, id);
      const done = await resultLines(sdk, batch.output_file_id);
      const dropped = await resultLines(sdk, batch.error_file_id);
      expect(done).toHaveLength(batch.request_counts.completed);
      expect(done.length + dropped.length).toBe(400);
      expect(dropped.every(({ error }) => error?.code === "batch_cancelled")).toBe(true);
    },
  },
  {
    section: "9",
    title: "`completed` plus `failed` may be less than `total` on `expired` and `cancelled`",
    async check({ on }) {
      const { sdk } = await on("slow");
      const batch = await run(sdk, lines(400), { completion_window: "5s" });
      const { total, completed, failed } = batch.request_counts;
      expect(batch.status).toBe("expired");
      expect(completed).toBeGreaterThan(0);
      expect(completed + failed).toBeLessThan(total);
      expect(await both(sdk, batch)).toHaveLength(total);
    },
  },
  {
    section: "9",
    title: "Transient failures are tried again inside the batch",
    async check({ on }) {
      const { sdk } = await on("flaky");
      const batch = await run(sdk, lines(30));
      expect(batch).toMatchObject({ status: "completed", request_counts: { total: 30, completed: 30 } });
    },
  },
  {
    section: "9",
    title: "Overload and quota (429, `insufficient_quota`) end as `failed` lines after some tries",
    difference:
      "They are no line's fault: the batch waits, within its window, until the model server goes on",
    async check({ on }) {
      const { sdk, upstream } = await on("throttled");
      const before = upstream.served.requests;
      const { id } = await start(sdk);
      const batch = await until(sdk, id, () => upstream.served.requests >= before + 2);
      expect(batch).toMatchObject({ status: "in_progress", request_counts: { failed: 0 } });
      await sdk.batches.cancel(id);
    },
  },
  {
    section: "9",
    title: "Clients must bear odd codes, such as `status_code: 0`",
    difference: "Never written: a line that got no answer has `response: null` and the reason in `error`",
  },
  {
    section: "9",
    title:
      "Clients see success by `response.status_code == 200` and read `response.body.error.message`, else `error.message`",
    async check({ sdk }) {
      const batch = await run(
        sdk,
        lines(2, (index) => (index === 1 ? absent : {})),
      );
      const results = await both(sdk, batch);
      expect(results.map(({ response }) => response?.status_code === 200)).toEqual([true, false]);
      const body = results[1]?.response?.body?.error as { message: string };
      expect(body.message).toMatch(/absent/);
      expect(results[1]?.error?.message).toBe(body.message);
    },
  },
  {
    section: "9",
    title: "Output and error files go 30 days after they were made, or as `output_expires_after` says",
    async check({ sdk }) {
      const batch = await run(
        sdk,
        lines(2, (index) => (index === 1 ? absent : {})),
      );
      for (const id of [batch.output_file_id, batch.error_file_id]) {
        const { created_at, expires_at } = await sdk.files.retrieve(id ?? "");
        expect(expires_at).toBe(created_at + 2_592_000);
      }
    },
  },
  {
    section: "9",
    title: "For `/v1/responses` the body is a whole `response`",
    async check({ sdk }) {
      const endpoint = "/v1/responses";
      const text = line(0, { url: endpoint, body: { model: "simulated", input: "Hi" } });
      const batch = await run(sdk, text, { endpoint });
      const [result] = await resultLines(sdk, batch.output_file_id);
      expect(result?.response?.body).toMatchObject({ object: "response", status: "completed" });
    },
  },
];

const absent = { body: { model: "absent", messages: [{ role: "user", content: "Hi" }] } };

/** The lines of output and error file, in this order. */
async function both(sdk: Sdk, batch: BatchObject): Promise<ResultLine[]> {
  return [
    ...(await resultLines(sdk, batch.output_file_id)),
    ...(await resultLines(sdk, batch.error_file_id)),
  ];
}
