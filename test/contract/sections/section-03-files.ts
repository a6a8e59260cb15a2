import { expect } from "vitest";
import type { Row } from "../row.ts";
import { lines, refusal, run, start, upload } from "../steps.ts";

const day = 86_400;

/** The file object, and its end: §3 and §3.3. */
export const fileRows: Row[] = [
  {
    section: "3",
    title: "A File has `id`, `object`, `bytes`, `created_at`, `filename`, `purpose`",
    async check({ sdk }) {
      const text = lines(2);
      expect(await upload(sdk, text, "nightly.jsonl")).toMatchObject({
        id: expect.stringMatching(/^file-/),
        object: "file",
        bytes: Buffer.byteLength(text),
        created_at: expect.any(Number),
        filename: "nightly.jsonl",
        purpose: "batch",
      });
    },
  },
  {
    section: "3",
    title: "`status` is there and at once `processed`",
    async check({ sdk }) {
      expect((await upload(sdk)).status).toBe("processed");
    },
  },
  {
    section: "3",
    title: "`expires_at` is `created_at` plus 30 days for `purpose=batch` without a policy",
    async check({ sdk }) {
      const { created_at, expires_at } = await upload(sdk);
      expect(expires_at).toBe(created_at + 30 * day);
    },
  },
  {
    section: "3",
    title: "`expires_at` is null for a file that does not expire",
    async check({ sdk }) {
      const file = { bytes: "text", name: "a.txt" };
      expect((await sdk.files.create({ file, purpose: "user_data" })).expires_at).toBeNull();
    },
  },
  {
    section: "3",
    title: "`status_details` is null",
    async check({ sdk }) {
      expect((await upload(sdk)).status_details).toBeNull();
    },
  },
  {
    section: "3",
    title:
      "`purpose` on create is `assistants`, `batch`, `fine-tune`, `vision`, `user_data` or `evals`, and stands so on the object",
    async check({ sdk }) {
      for (const purpose of ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]) {
        const file = { bytes: "{}\n", name: "a.jsonl" };
        expect(await sdk.files.create({ file, purpose })).toMatchObject({ purpose });
      }
    },
  },
  {
    section: "3",
    title: "`batch_output` and other purposes of the service's own cannot be given",
    async check({ sdk }) {
      for (const purpose of ["batch_output", "assistants_output", "fine-tune-results", ""]) {
        const file = { bytes: "{}\n", name: "a.jsonl" };
        expect(await refusal(sdk.files.create({ file, purpose }))).toMatchObject({
          status: 400,
          param: "purpose",
        });
      }
    },
  },
  {
    section: "3",
    title: "Output and error files have `purpose=batch_output`",
    async check({ sdk }) {
      const batch = await run(sdk, mixed);
      for (const id of [batch.output_file_id, batch.error_file_id]) {
        expect(await sdk.files.retrieve(id ?? "")).toMatchObject({ purpose: "batch_output" });
      }
    },
  },
  {
    section: "3",
    title: "Generated files are named `batch_<id>_output.jsonl` and `batch_<id>_error.jsonl`",
    difference: "Not public at OpenAI; `<batch id>_output.jsonl` and `_error.jsonl`",
    async check({ sdk }) {
      const batch = await run(sdk, mixed);
      const names = [batch.output_file_id, batch.error_file_id].map((id) => sdk.files.retrieve(id ?? ""));
      expect(await Promise.all(names)).toMatchObject([
        { filename: `${batch.id}_output.jsonl` },
        { filename: `${batch.id}_error.jsonl` },
      ]);
    },
  },
  {
    section: "3.3",
    title: "After a delete, the file and its content are 404",
    async check({ sdk }) {
      const { id } = await upload(sdk);
      await sdk.files.delete(id);
      for (const call of ["retrieve", "content", "delete"] as const) {
        expect(await refusal(sdk.files[call](id))).toMatchObject({ status: 404 });
      }
    },
  },
  {
    section: "3.3",
    title: "Deleting the input of a batch that runs",
    difference: "Not public at OpenAI; 409 until the batch is final",
    async check({ on }) {
      const { sdk } = await on("hanging");
      const batch = await start(sdk);
      const refused = await refusal(sdk.files.delete(batch.input_file_id));
      expect(refused).toMatchObject({ status: 409, code: "file_in_use" });
      await sdk.batches.cancel(batch.id);
    },
  },
  {
    section: "3.3",
    title: "An expired file is gone from every call",
    async check({ still }) {
      const { sdk, clock } = await still();
      const expires_after = { anchor: "created_at", seconds: 3_600 };
      const file = { bytes: "{}\n", name: "a.jsonl" };
      const { id } = await sdk.files.create({ file, purpose: "batch", expires_after });
      clock.jump(3_599_000);
      expect(await sdk.files.retrieve(id)).toMatchObject({ id });
      clock.jump(1_000);
      for (const call of ["retrieve", "content", "delete"] as const) {
        expect(await refusal(sdk.files[call](id))).toMatchObject({ status: 404 });
      }
      expect((await sdk.files.list()).data).toEqual([]);
    },
  },
];

/** One line succeeds, one fails. */
const mixed = lines(2, (index) => ({
  body: { model: index === 0 ? "simulated" : "absent", messages: [{ role: "user", content: "Hi" }] },
}));
