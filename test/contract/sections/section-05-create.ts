import { expect } from "vitest";
import { type Endpoint, endpoints } from "../../../src/batch/limits.ts";
import type { Row } from "../row.ts";
import type { Params } from "../sdk/sdk.ts";
import { chat, line, lines, rawBatch, refusal, resultLines, run, start, upload } from "../steps.ts";

/** How a batch is created. */
export const createRows: Row[] = [
  {
    section: "5",
    title: "`input_file_id`, `endpoint` and `completion_window` are required",
    async check({ sdk }) {
      const params = { input_file_id: (await upload(sdk)).id, ...chat };
      for (const name of ["input_file_id", "endpoint", "completion_window"]) {
        const { [name]: _, ...body } = params as Record<string, string>;
        expect(await refusal(rawBatch(sdk, body))).toMatchObject({
          status: 400,
          code: "missing_required_parameter",
          param: name,
        });
      }
    },
  },
  ...endpoints.map(
    (endpoint): Row => ({
      section: "5",
      title: `\`endpoint\` may be \`${endpoint}\``,
      async check({ sdk }) {
        const body = { model: "simulated", ...bodies[endpoint] };
        const batch = await run(sdk, line(0, { url: endpoint, body }), { endpoint });
        expect(batch).toMatchObject({ endpoint, status: "completed", request_counts: { completed: 1 } });
      },
    }),
  ),
  ...["/v1/images/generations", "/v1/images/edits", "/v1/videos"].map(
    (endpoint): Row => ({
      section: "5",
      title: `\`endpoint\` may be \`${endpoint}\``,
      difference: "Refused at create: Nerif runs five endpoints",
      async check({ sdk }) {
        const refused = await refusal(start(sdk, undefined, { endpoint }));
        expect(refused).toMatchObject({ status: 400, param: "endpoint", code: "invalid_value" });
      },
    }),
  ),
  {
    section: "5",
    title: "`completion_window` can only be `24h`",
    difference: "So it is, unless the operator admits others with `--completion-windows`",
    async check({ sdk, on }) {
      const refused = await refusal(start(sdk, undefined, { completion_window: "48h" }));
      expect(refused).toMatchObject({ status: 400, param: "completion_window" });
      const slow = await on("slow");
      const batch = await start(slow.sdk, undefined, { completion_window: "48h" });
      expect(batch).toMatchObject({ completion_window: "48h", expires_at: batch.created_at + 172_800 });
    },
  },
  {
    section: "5",
    title: "`metadata` is an object or null",
    async check({ sdk }) {
      expect((await start(sdk, undefined, { metadata: { job: "nightly" } })).metadata).toEqual({
        job: "nightly",
      });
      expect((await start(sdk, undefined, { metadata: null })).metadata).toBeNull();
      expect((await start(sdk)).metadata).toBeNull();
      const refused = await refusal(start(sdk, undefined, { metadata: "nightly" }));
      expect(refused).toMatchObject({ status: 400, param: "metadata", code: "invalid_type" });
    },
  },
  {
    section: "5",
    title: "`metadata` has at most 16 pairs",
    async check({ sdk }) {
      const pairs = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${index}`, "value"]));
      expect((await start(sdk, undefined, { metadata: pairs(16) })).metadata).toEqual(pairs(16));
      expect(await refusal(start(sdk, undefined, { metadata: pairs(17) }))).toMatchObject({ status: 400 });
    },
  },
  {
    section: "5",
    title: "A key of `metadata` has at most 64 characters, a value at most 512",
    async check({ sdk }) {
      const largest = { ["k".repeat(64)]: "v".repeat(512) };
      expect((await start(sdk, undefined, { metadata: largest })).metadata).toEqual(largest);
      for (const metadata of [{ ["k".repeat(65)]: "v" }, { k: "v".repeat(513) }]) {
        expect(await refusal(start(sdk, undefined, { metadata }))).toMatchObject({ status: 400 });
      }
    },
  },
  {
    section: "5",
    title: "`output_expires_after` has `anchor: created_at` and `seconds` from 3,600 to 2,592,000",
    async check({ sdk }) {
      const with_ = (output_expires_after: object) => start(sdk, undefined, { output_expires_after });
      for (const seconds of [3_600, 2_592_000]) {
        expect(await with_({ anchor: "created_at", seconds })).toMatchObject({ status: "validating" });
      }
      for (const seconds of [3_599, 2_592_001]) {
        const refused = await refusal(with_({ anchor: "created_at", seconds }));
        expect(refused).toMatchObject({ status: 400, param: "output_expires_after.seconds" });
      }
      const refused = await refusal(with_({ anchor: "now", seconds: 3_600 }));
      expect(refused).toMatchObject({ status: 400, param: "output_expires_after.anchor" });
    },
  },
  {
    section: "5",
    title: "`output_expires_after` counts from the creation of the output and error file",
    async check({ sdk }) {
      const output_expires_after = { anchor: "created_at", seconds: 7_200 };
      const batch = await run(sdk, lines(2, oneAbsent), { output_expires_after });
      for (const id of [batch.output_file_id, batch.error_file_id]) {
        const { created_at, expires_at } = await sdk.files.retrieve(id ?? "");
        expect(expires_at).toBe(created_at + 7_200);
        expect(created_at).toBeGreaterThanOrEqual(batch.finalizing_at ?? Number.POSITIVE_INFINITY);
      }
    },
  },
  {
    section: "5",
    title: "The answer comes at once: `validating`, counts 0/0/0, no file ids, no `in_progress_at`",
    async check({ sdk }) {
      expect(await start(sdk)).toMatchObject({
        status: "validating",
        request_counts: { total: 0, completed: 0, failed: 0 },
        output_file_id: null,
        error_file_id: null,
        in_progress_at: null,
      });
    },
  },
  {
    section: "5",
    title: "`expires_at` is `created_at` plus 86,400",
    async check({ sdk }) {
      const { created_at, expires_at } = await start(sdk);
      expect(expires_at).toBe(created_at + 86_400);
    },
  },
  {
    section: "5",
    title: "What is wrong inside the file shows later, as `failed` with `errors`, never as a refusal",
    async check({ sdk }) {
      const created = await start(sdk, `${lines(1)}nonsense\n`);
      expect(created).toMatchObject({ status: "validating", errors: null });
      expect(await run(sdk, `${lines(1)}nonsense\n`)).toMatchObject({
        status: "failed",
        errors: { object: "list" },
      });
    },
  },
  {
    section: "5",
    title: "There are no webhook or callback fields",
    async check({ sdk }) {
      const { id } = await upload(sdk);
      const body = { input_file_id: id, ...chat, webhook_url: "https://hooks.example.net/" };
      expect(await refusal(rawBatch(sdk, body))).toMatchObject({ status: 400, param: "webhook_url" });
    },
  },
  {
    section: "5",
    title: "A repeat of a create with the same `Idempotency-Key`",
    difference: "An extension: the first answer comes again for 24 h",
    async check({ sdk, client }) {
      const body = { input_file_id: (await upload(sdk)).id, ...chat };
      const keyed = client({ headers: { "Idempotency-Key": `contract-${body.input_file_id}` } });
      const first = await keyed.batches.create(body);
      expect((await keyed.batches.create(body)).id).toBe(first.id);
      const other = await refusal(keyed.batches.create({ ...body, metadata: { other: "yes" } }));
      expect(other).toMatchObject({ status: 409, code: "idempotency_key_reused" });
    },
  },
  {
    section: "5",
    title: "Output lines carry the endpoint's answer unchanged",
    async check({ sdk }) {
      const body = { model: "simulated", input: "Hello" };
      const batch = await run(sdk, line(0, { url: "/v1/embeddings", body }), { endpoint: "/v1/embeddings" });
      const [result] = await resultLines(sdk, batch.output_file_id);
      expect(result?.response?.body).toMatchObject({
        object: "list",
        data: [{ object: "embedding", index: 0 }],
      });
    },
  },
];

const bodies: Record<Endpoint, object> = {
  "/v1/chat/completions": { messages: [{ role: "user", content: "Hi" }] },
  "/v1/completions": { prompt: "Hi" },
  "/v1/responses": { input: "Hi" },
  "/v1/embeddings": { input: "Hi" },
  "/v1/moderations": { input: "Hi" },
};

function oneAbsent(index: number): Params {
  return { body: { model: index === 0 ? "simulated" : "absent", messages: [] } };
}
