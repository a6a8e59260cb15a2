import { expect } from "vitest";
import type { Row } from "../row.ts";
import { refusal, run, upload } from "../steps.ts";

/** The figures once more, each where it is shown or why it is not kept. */
export const limitRows: Row[] = [
  {
    section: "14",
    title: "50,000 lines, 209,715,200 bytes and 50,000 embedding inputs per batch",
    difference: "The first two with `--strict`, the third not at all; shown in §7",
  },
  {
    section: "14",
    title: "2,000 creations per hour",
    difference: "OpenAI's own operation",
  },
  {
    section: "14",
    title: "A completion window of 24 h",
    async check({ sdk }) {
      const batch = await run(sdk);
      expect(batch).toMatchObject({ completion_window: "24h", expires_at: batch.created_at + 86_400 });
    },
  },
  {
    section: "14",
    title: "At most 10 minutes of grace for a cancel",
    difference: "`--cancel-grace`, by default 30 s; shown in §6.1",
  },
  {
    section: "14",
    title: "`metadata`: 16 pairs, keys of 64 and values of 512 characters, letters and not bytes",
    async check({ sdk }) {
      const { id } = await upload(sdk);
      const metadata = { ["ü".repeat(64)]: "\u{1f600}".repeat(512) };
      const params = { endpoint: "/v1/chat/completions", completion_window: "24h" };
      const batch = await sdk.batches.create({ input_file_id: id, ...params, metadata });
      expect(batch.metadata).toEqual(metadata);
    },
  },
  {
    section: "14",
    title: "512 MB through `/files`",
    difference: "The limit is the disk or `--max-file-bytes`; `--strict` restores 512 MiB",
  },
  {
    section: "14",
    title: "8 GB and one hour per upload, 64 MB per part",
    async check({ sdk }) {
      const params = { filename: "a.jsonl", purpose: "batch", mime_type: "application/jsonl" };
      const { created_at, expires_at } = await sdk.uploads.create({ ...params, bytes: 8_000_000_000 });
      expect(expires_at).toBe(created_at + 3_600);
    },
  },
  {
    section: "14",
    title: "`expires_after` and `output_expires_after` from 3,600 to 2,592,000 s",
    async check({ sdk }) {
      const file = { bytes: "{}\n", name: "a.jsonl" };
      for (const seconds of [3_599, 2_592_001]) {
        const expires_after = { anchor: "created_at", seconds };
        expect(await refusal(sdk.files.create({ file, purpose: "batch", expires_after }))).toMatchObject({
          status: 400,
        });
      }
    },
  },
  {
    section: "14",
    title: "Batch inputs and results expire after 30 days",
    async check({ sdk }) {
      const batch = await run(sdk);
      for (const id of [batch.input_file_id, batch.output_file_id ?? ""]) {
        const { created_at, expires_at } = await sdk.files.retrieve(id);
        expect(expires_at).toBe(created_at + 30 * 86_400);
      }
    },
  },
  {
    section: "14",
    title: "Lists: files 1 to 10,000 (10,000), batches 1 to 100 (20)",
    async check({ sdk }) {
      for (const [list, most] of [
        [sdk.files.list, 10_000],
        [sdk.batches.list, 100],
      ] as const) {
        expect((await list({ limit: most })).data).toBeInstanceOf(Array);
        expect(await refusal(list({ limit: most + 1 }))).toMatchObject({
          status: 400,
          code: "integer_above_max_value",
        });
      }
    },
  },
  {
    section: "14",
    title: "Webhooks: 300 s of tolerance, 72 h of tries",
    async check({ sdk }) {
      const body = "{}";
      const headers = { "webhook-id": "wh_1", "webhook-timestamp": "1", "webhook-signature": "v1,x" };
      const refused = await refusal(sdk.webhooks.unwrap({ body, headers, secret: "secret" }));
      expect(refused).toMatchObject({ className: "InvalidWebhookSignatureError" });
    },
  },
  {
    section: "14",
    title:
      "Webhook endpoints: names of 1 to 256, URLs up to 2,048 and `https` only, lists of 1 to 100 (20), secrets overlap 24 h",
    difference: "At most 20 endpoints per project beside; the figures are shown in §11.2",
    needs: "webhooks.create",
    async check({ still }) {
      const { sdk } = await still();
      const params = { name: "n", url: "https://hooks.example.net/", event_types: ["batch.completed"] };
      for (let count = 0; count < 20; count += 1) await sdk.webhooks.create(params);
      expect(await refusal(sdk.webhooks.create(params))).toMatchObject({ status: 400 });
      expect((await sdk.webhooks.list()).data).toHaveLength(20);
    },
  },
];
