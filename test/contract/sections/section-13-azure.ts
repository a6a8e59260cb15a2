import { expect } from "vitest";
import type { Row } from "../row.ts";
import { line, resultLines, run, start, untilFinal, upload } from "../steps.ts";

const azure = { apiVersion: "2024-10-21" };

/** What Azure's clients do otherwise. */
export const azureRows: Row[] = [
  {
    section: "13",
    title:
      "`/openai/{files,batches}?api-version=…` with the header `api-key`, as Azure's clients of the SDKs ask",
    async check({ client, server }) {
      const sdk = client({ azure, baseUrl: server.url });
      const batch = await run(sdk);
      expect(server.last()).toMatchObject({
        path: `/openai/batches/${batch.id}?api-version=2024-10-21`,
        headers: { "api-key": "unused" },
      });
      expect(await resultLines(sdk, batch.output_file_id)).toHaveLength(1);
      expect(server.last().path).toBe(`/openai/files/${batch.output_file_id}/content?api-version=2024-10-21`);
      expect((await sdk.batches.list({ limit: 1 })).data).toMatchObject([{ id: batch.id }]);
    },
  },
  {
    section: "13",
    title: "`/openai/uploads` likewise",
    async check({ client, server }) {
      const sdk = client({ azure, baseUrl: server.url });
      const params = { filename: "a.jsonl", purpose: "batch", bytes: 3, mime_type: "application/jsonl" };
      const { id } = await sdk.uploads.create(params);
      const part = await sdk.uploads.part(id, "{}\n");
      expect(await sdk.uploads.complete(id, { part_ids: [part.id] })).toMatchObject({ status: "completed" });
      expect(server.last().path).toBe(`/openai/uploads/${id}/complete?api-version=2024-10-21`);
    },
  },
  {
    section: "13",
    title: "A Bearer token in place of `api-key`",
    async check({ server, client }) {
      const sdk = client({ baseUrl: `${server.url}/openai` });
      expect((await sdk.batches.list()).data).toBeInstanceOf(Array);
      expect(server.last()).toMatchObject({ path: "/openai/batches", status: 200 });
    },
  },
  {
    section: "13",
    title: "The newer form `/openai/v1/…`",
    async check({ client, server }) {
      const sdk = client({ baseUrl: `${server.url}/openai/v1` });
      const { id } = await start(sdk);
      expect(await untilFinal(sdk, id)).toMatchObject({ status: "completed" });
      expect(server.last().path).toBe(`/openai/v1/batches/${id}`);
    },
  },
  {
    section: "13",
    title:
      "Node's `AzureOpenAI` with a deployment posts batches to `/openai/deployments/<deployment>/batches`",
    only: "node",
    async check({ client, server }) {
      const sdk = client({ azure: { ...azure, deployment: "dep" }, baseUrl: server.url });
      const { id } = await start(sdk);
      expect(server.last("/batches").path).toBe("/openai/deployments/dep/batches?api-version=2024-10-21");
      expect(await sdk.batches.retrieve(id)).toMatchObject({ id });
      expect(server.last().path).toBe(`/openai/batches/${id}?api-version=2024-10-21`);
    },
  },
  {
    section: "13",
    title: "Python's client with a deployment leaves it out for batches",
    only: "python",
    async check({ client, server }) {
      const sdk = client({ azure: { ...azure, deployment: "dep" }, baseUrl: server.url });
      const { id } = await start(sdk);
      expect(server.last("/batches").path).toBe("/openai/batches?api-version=2024-10-21");
      expect(await sdk.batches.retrieve(id)).toMatchObject({ id });
    },
  },
  {
    section: "13",
    title: "`endpoint` and the `url` of a line may be `/chat/completions`, without `/v1`",
    async check({ client, server }) {
      const sdk = client({ azure, baseUrl: server.url });
      const url = "/chat/completions";
      const batch = await run(sdk, line(0, { url }), { endpoint: url });
      expect(batch).toMatchObject({ status: "completed", request_counts: { completed: 1 } });
    },
  },
  {
    section: "13",
    title: "Ids like GUIDs, an empty text for file ids that are absent, files that are `pending` at first",
    difference: "As OpenAI has them: §2.4, null, `processed` at once",
    async check({ client, server }) {
      const sdk = client({ azure, baseUrl: server.url });
      expect(await upload(sdk)).toMatchObject({ id: expect.stringMatching(/^file-/), status: "processed" });
      expect(await start(sdk)).toMatchObject({ output_file_id: null, error_file_id: null });
    },
  },
  {
    section: "13",
    title: "`expires_after.seconds` from 1,209,600 to 2,592,000; 100,000 lines, then `too_many_tasks`",
    difference: "OpenAI's lower bound of 3,600 counts, and there is no limit of lines",
    async check({ client, server }) {
      const sdk = client({ azure, baseUrl: server.url });
      const file = { bytes: "{}\n", name: "a.jsonl" };
      const expires_after = { anchor: "created_at", seconds: 3_600 };
      const { created_at, expires_at } = await sdk.files.create({ file, purpose: "batch", expires_after });
      expect(expires_at).toBe(created_at + 3_600);
    },
  },
  {
    section: "13",
    title: "Azure does not expire late jobs",
    difference: "They expire as OpenAI's do: §6.1",
  },
];
