import { expect } from "vitest";
import type { Row } from "../row.ts";
import { lines, run, start, until, untilFinal, untilStatus } from "../steps.ts";

/** The batch object and its states. */
export const batchRows: Row[] = [
  {
    section: "6",
    title: "`model` is the model of every line, once they are known",
    async check({ sdk }) {
      expect((await run(sdk)).model).toBe("simulated");
    },
  },
  {
    section: "6",
    title: "One batch has one model",
    difference: "Lines may name different ones, and `model` is then null; `--strict` restores the refusal",
    async check({ on }) {
      const { sdk } = await on("slow");
      const batch = await run(
        sdk,
        lines(2, (index) => ({ body: { model: `model-${index}`, messages: [] } })),
      );
      expect(batch).toMatchObject({ status: "completed", model: null, request_counts: { completed: 2 } });
    },
  },
  {
    section: "6",
    title: "`usage` has all five keys and sums up the answers",
    async check({ sdk }) {
      const { usage } = await run(sdk, lines(3));
      expect(usage).toEqual({
        input_tokens: expect.any(Number),
        input_tokens_details: { cached_tokens: expect.any(Number) },
        output_tokens: expect.any(Number),
        output_tokens_details: { reasoning_tokens: expect.any(Number) },
        total_tokens: (usage?.input_tokens ?? 0) + (usage?.output_tokens ?? 0),
      });
      expect(usage?.input_tokens).toBeGreaterThan(0);
      expect(usage?.output_tokens).toBeGreaterThan(0);
    },
  },
  {
    section: "6",
    title: "`usage` is there when every line failed, too",
    async check({ sdk }) {
      const { usage } = await run(sdk, absent);
      expect(usage).toMatchObject({ total_tokens: 0, input_tokens_details: {}, output_tokens_details: {} });
    },
  },
  {
    section: "6",
    title: "`request_counts` always has `total`, `completed` and `failed`",
    async check({ sdk }) {
      expect((await run(sdk, lines(3))).request_counts).toEqual({ total: 3, completed: 3, failed: 0 });
    },
  },
  {
    section: "6",
    title: "`total` is 0 while validating, and stays 0 on `failed`",
    async check({ sdk }) {
      const text = `${lines(5)}nonsense\n`;
      expect((await start(sdk, text)).request_counts).toEqual({ total: 0, completed: 0, failed: 0 });
      expect(await run(sdk, text)).toMatchObject({
        status: "failed",
        request_counts: { total: 0, completed: 0, failed: 0 },
      });
    },
  },
  {
    section: "6",
    title: "The counts advance while the batch is `in_progress`",
    async check({ on }) {
      const { sdk } = await on("slow");
      const { id } = await start(sdk, lines(400));
      const running = await until(sdk, id, ({ request_counts }) => request_counts.completed > 0);
      expect(running).toMatchObject({ status: "in_progress", request_counts: { total: 400, failed: 0 } });
      expect(running.request_counts.completed).toBeLessThan(400);
      await sdk.batches.cancel(id);
    },
  },
  {
    section: "6",
    title: "`errors` is null, or a list of `code`, `line`, `message`, `param`",
    async check({ sdk }) {
      expect((await run(sdk)).errors).toBeNull();
      expect((await run(sdk, `${lines(1)}nonsense\n`)).errors).toEqual({
        object: "list",
        data: [{ code: "invalid_json_line", line: 2, message: expect.any(String), param: null }],
      });
    },
  },
  {
    section: "6",
    title: "Failures of lines at run time are never in `errors`",
    async check({ sdk }) {
      expect(await run(sdk, absent)).toMatchObject({ errors: null, request_counts: { failed: 2 } });
    },
  },
  {
    section: "6",
    title: "`output_file_id` and `error_file_id` are null until the batch is final",
    async check({ on }) {
      const { sdk } = await on("slow");
      const { id } = await start(sdk, lines(24));
      await until(sdk, id, (batch) => {
        const isDone = batch.status === "completed";
        expect(batch.output_file_id === null).toBe(!isDone);
        expect(batch.error_file_id).toBeNull();
        return isDone;
      });
    },
  },
  {
    section: "6",
    title: "A batch whose lines all succeeded has no `error_file_id`",
    async check({ sdk }) {
      expect(await run(sdk)).toMatchObject({
        output_file_id: expect.stringMatching(/^file-/),
        error_file_id: null,
      });
    },
  },
  {
    section: "6",
    title: "A batch whose lines all failed is `completed`, with `output_file_id` null and not empty text",
    async check({ sdk }) {
      expect(await run(sdk, absent)).toMatchObject({
        status: "completed",
        output_file_id: null,
        error_file_id: expect.stringMatching(/^file-/),
      });
    },
  },
  {
    section: "6.1",
    title: "`validating` → `failed`: `failed_at` is set, `in_progress_at` stays null, no files",
    async check({ sdk }) {
      const batch = await run(sdk, `${lines(1)}nonsense\n`);
      expect(batch).toMatchObject({
        status: "failed",
        failed_at: expect.any(Number),
        ...{ in_progress_at: null, finalizing_at: null, completed_at: null },
        ...{ output_file_id: null, error_file_id: null, expires_at: batch.created_at + 86_400 },
      });
      expect(batch.failed_at).toBeGreaterThanOrEqual(batch.created_at);
    },
  },
  {
    section: "6.1",
    title: "`validating` → `in_progress`: `in_progress_at` is set",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const { id, created_at } = await start(sdk);
      const batch = await untilStatus(sdk, id, "in_progress");
      expect(batch).toMatchObject({ status: "in_progress", finalizing_at: null, output_file_id: null });
      expect(batch.in_progress_at).toBeGreaterThanOrEqual(created_at);
      await sdk.batches.cancel(id);
    },
  },
  {
    section: "6.1",
    title:
      "`in_progress` → `finalizing` → `completed`: `finalizing_at` and `completed_at` are set, in this order",
    async check({ sdk }) {
      const batch = await run(sdk);
      const { created_at, in_progress_at, finalizing_at, completed_at } = batch;
      const times = [created_at, in_progress_at, finalizing_at, completed_at].map(Number);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times.every((time) => time > 0)).toBe(true);
      expect(batch).toMatchObject({
        failed_at: null,
        expired_at: null,
        cancelling_at: null,
        cancelled_at: null,
      });
    },
  },
  {
    section: "6.1",
    title: "`in_progress` → `expired` when the window is over: `expired_at` is set, `expires_at` stays",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const batch = await run(sdk, lines(2), { completion_window: "2s" });
      expect(batch).toMatchObject({
        status: "expired",
        expires_at: batch.created_at + 2,
        ...{ completed_at: null, failed_at: null, cancelling_at: null, cancelled_at: null },
      });
      expect(batch.expired_at).toBeGreaterThanOrEqual(batch.created_at + 2);
    },
  },
  {
    section: "6.1",
    title: "`finalizing` with the window over",
    difference: "Every line is done by then: it becomes `completed`, not `expired`",
  },
  {
    section: "6.1",
    title: "`in_progress` → `cancelling` → `cancelled`: `cancelling_at` and `cancelled_at` are set",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const { id } = await start(sdk);
      await untilStatus(sdk, id, "in_progress");
      const cancelling = await sdk.batches.cancel(id);
      expect(cancelling).toMatchObject({ status: "cancelling", cancelled_at: null });
      const batch = await untilFinal(sdk, id);
      expect(batch).toMatchObject({
        status: "cancelled",
        cancelling_at: cancelling.cancelling_at,
        ...{ completed_at: null, failed_at: null, expired_at: null },
      });
      expect(batch.cancelled_at).toBeGreaterThanOrEqual(batch.cancelling_at ?? Number.POSITIVE_INFINITY);
    },
  },
  {
    section: "6.1",
    title: "A batch can be cancelled while it is `validating`",
    async check({ still }) {
      const { sdk, server } = await still();
      // As while another process executes: nobody here validates it.
      server.instance.engine.canStart = false;
      const { id } = await start(sdk);
      expect(await sdk.batches.cancel(id)).toMatchObject({ status: "cancelling", in_progress_at: null });
    },
  },
  {
    section: "6.1",
    title: "`cancelling` lasts while lines in flight finish, at most 10 minutes",
    difference: "At most `--cancel-grace`, by default 30 s",
    async check({ on }) {
      const { sdk } = await on("slow");
      const { id } = await start(sdk, lines(400));
      await until(sdk, id, ({ request_counts }) => request_counts.completed > 0);
      const before = await sdk.batches.cancel(id);
      const { status, request_counts } = await untilFinal(sdk, id);
      expect(status).toBe("cancelled");
      // What was in flight has finished, and nothing more was sent: at most 4 at once there.
      expect(request_counts.completed).toBeGreaterThan(before.request_counts.completed);
      expect(request_counts.completed).toBeLessThan(400);
    },
  },
  {
    section: "6.1",
    title: "Whether `finalizing_at` is set on the way to `expired` and `cancelled`",
    difference: "Not public at OpenAI; it is not set here",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const expired = await run(sdk, lines(1), { completion_window: "2s" });
      expect(expired).toMatchObject({ status: "expired", finalizing_at: null });
      const { id } = await start(sdk);
      await sdk.batches.cancel(id);
      expect(await untilFinal(sdk, id)).toMatchObject({ status: "cancelled", finalizing_at: null });
    },
  },
  {
    section: "6.1",
    title: "`completed`, `failed`, `expired` and `cancelled` are final",
    async check({ sdk }) {
      const completed = await run(sdk);
      const failed = await run(sdk, `${lines(1)}nonsense\n`);
      const { _request_id: _, ...again } = await sdk.batches.retrieve(completed.id);
      expect(completed).toMatchObject(again);
      expect(await sdk.batches.retrieve(failed.id)).toMatchObject({ status: "failed" });
    },
  },
  {
    section: "6.1",
    title: "`expires_at` stays set in every final status",
    async check({ sdk, on }) {
      const hanging = await on("hanging");
      const { id } = await start(hanging.sdk);
      await hanging.sdk.batches.cancel(id);
      for (const batch of [
        await run(sdk),
        await run(sdk, `${lines(1)}nonsense\n`),
        await untilFinal(hanging.sdk, id),
        await run(hanging.sdk, lines(1), { completion_window: "2s" }),
      ]) {
        const seconds = batch.completion_window === "2s" ? 2 : 86_400;
        expect(batch.expires_at).toBe(batch.created_at + seconds);
      }
    },
  },
  {
    section: "6.1",
    title: "Old batches vanish in the end",
    difference:
      "Only when the operator says so, with `nerif prune`, and never on a database; how long OpenAI keeps them is not public",
  },
];

const absent = lines(2, () => ({ body: { model: "absent", messages: [] } }));
