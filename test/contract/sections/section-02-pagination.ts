import { expect } from "vitest";
import type { Row } from "../row.ts";
import type { Sdk } from "../sdk/sdk.ts";
import { line, refusal, start, upload } from "../steps.ts";

/** Lists: §2.5. */
export const paginationRows: Row[] = [
  {
    section: "2.5",
    title: "A list is `object: list`, `data`, `first_id`, `last_id`, `has_more`",
    async check({ sdk, server }) {
      const [first, second] = await uploads(sdk, 2, "user_data");
      await sdk.files.list({ purpose: "user_data", limit: 2 });
      expect(JSON.parse(server.last().answer)).toMatchObject({
        object: "list",
        data: [{ id: second }, { id: first }],
        first_id: second,
        last_id: first,
        has_more: expect.any(Boolean),
      });
      await start(sdk);
      await sdk.batches.list({ limit: 1 });
      expect(Object.keys(JSON.parse(server.last().answer) as object).sort()).toEqual(
        ["data", "first_id", "has_more", "last_id", "object"].sort(),
      );
    },
  },
  {
    section: "2.5",
    title: "`after` is the last item seen; the page begins strictly behind it",
    async check({ sdk }) {
      const purpose = "user_data";
      const ids = await uploads(sdk, 3, purpose);
      const page = await sdk.files.list({ purpose, after: ids[2] ?? "", limit: 2 });
      expect(page.data.map(({ id }) => id)).toEqual([ids[1], ids[0]]);
      const batches = [await start(sdk), await start(sdk)].map(({ id }) => id);
      const next = await sdk.batches.list({ after: batches[1] ?? "", limit: 1 });
      expect(next.data.map(({ id }) => id)).toEqual([batches[0]]);
    },
  },
  {
    section: "2.5",
    title: "There is no `before`",
    async check({ sdk, server }) {
      const [id] = await uploads(sdk, 1, "user_data");
      await sdk.request({ method: "get", path: `/files?before=${id}&limit=1&purpose=user_data` });
      expect(JSON.parse(server.last().answer)).toMatchObject({ data: [{ id }] });
    },
  },
  {
    section: "2.5",
    title: "Files: `limit` is 1 to 10,000, by default 10,000",
    async check({ sdk }) {
      const ids = await uploads(sdk, 25, "fine-tune");
      const page = await sdk.files.list({ purpose: "fine-tune" });
      expect(page.data.slice(0, 25).map(({ id }) => id)).toEqual(ids.toReversed());
      expect((await sdk.files.list({ limit: 10_000 })).data.length).toBeGreaterThanOrEqual(25);
      expect(await refusal(sdk.files.list({ limit: 10_001 }))).toMatchObject({
        status: 400,
        param: "limit",
        code: "integer_above_max_value",
      });
    },
  },
  {
    section: "2.5",
    title: "Files: `order` is `asc` or `desc` by creation, by default `desc`",
    async check({ sdk }) {
      const purpose = "assistants";
      const ids = await uploads(sdk, 3, purpose);
      const down = (await sdk.files.list({ purpose, order: "desc", limit: 3 })).data.map(({ id }) => id);
      expect(down).toEqual(ids.toReversed());
      expect((await sdk.files.list({ purpose, limit: 3 })).data.map(({ id }) => id)).toEqual(down);
      const up = await sdk.files.list({ purpose, order: "asc", after: ids[0] ?? "" });
      expect(up.data.map(({ id }) => id)).toEqual(ids.slice(1));
      expect(await refusal(sdk.files.list({ order: "up" }))).toMatchObject({ status: 400, param: "order" });
    },
  },
  {
    section: "2.5",
    title: "Files: `purpose` selects, and may be any text",
    async check({ sdk }) {
      const file = { bytes: "notes", name: "notes.txt" };
      const { id } = await sdk.files.create({ file, purpose: "vision" });
      await upload(sdk);
      const page = await sdk.files.list({ purpose: "vision" });
      expect(page.data[0]).toMatchObject({ id, purpose: "vision" });
      expect(page.data.every(({ purpose }) => purpose === "vision")).toBe(true);
      expect((await sdk.files.list({ purpose: "whatever" })).data).toEqual([]);
    },
  },
  {
    section: "2.5",
    title: "Batches: `limit` is 1 to 100, by default 20, newest first",
    async check({ sdk }) {
      const { id: input_file_id } = await upload(sdk, line(0));
      const ids: string[] = [];
      for (let i = 0; i < 21; i += 1) {
        const params = { endpoint: "/v1/chat/completions", completion_window: "24h" };
        ids.unshift((await sdk.batches.create({ input_file_id, ...params })).id);
      }
      const page = await sdk.batches.list();
      expect(page.data.map(({ id }) => id)).toEqual(ids.slice(0, 20));
      expect(page.has_more).toBe(true);
      expect((await sdk.batches.list({ limit: 100 })).data.slice(0, 21).map(({ id }) => id)).toEqual(ids);
    },
  },
  {
    section: "2.5",
    title: "Batches: no `order` and no filter",
    difference: "There are filters: `status`, `created_after`, `created_before`, `metadata[key]`",
    async check({ sdk, server }) {
      const { id } = await start(sdk, undefined, { metadata: { team: "contract" } });
      await sdk.request({ method: "get", path: "/batches?metadata[team]=contract" });
      const page = JSON.parse(server.last().answer) as { data: { id: string }[] };
      expect(page.data.map((batch) => batch.id)).toEqual([id]);
    },
  },
  {
    section: "2.5",
    title: "The SDK pages through all files by the same query with `after`, until `has_more` is false",
    async check({ sdk, server }) {
      const before = await sdk.files.list({ purpose: "evals" });
      const ids = await uploads(sdk, 5, "evals");
      const from = server.tap.exchanges.length;
      const all = (await sdk.files.all({ purpose: "evals", limit: 2 })).map(({ id }) => id);
      expect(all.slice(0, 5)).toEqual(ids.toReversed());
      expect(all).toHaveLength(5 + before.data.length);
      const queries = server.tap.exchanges
        .slice(from)
        .map(({ path }) => new URL(path, server.url).searchParams);
      expect(queries).toHaveLength(Math.ceil(all.length / 2));
      expect(queries.map((query) => query.get("after"))).toEqual([
        null,
        ...all.filter((_, index) => index % 2 === 1 && index < all.length - 1),
      ]);
      expect(queries.every((query) => query.get("limit") === "2")).toBe(true);
      expect(queries.every((query) => query.get("purpose") === "evals")).toBe(true);
    },
  },
  {
    section: "2.5",
    title: "The SDK pages through all batches",
    async check({ still }) {
      const { sdk } = await still();
      const { id: input_file_id } = await upload(sdk, line(0));
      const ids: string[] = [];
      for (let i = 0; i < 45; i += 1) {
        const params = { endpoint: "/v1/chat/completions", completion_window: "24h" };
        ids.unshift((await sdk.batches.create({ input_file_id, ...params })).id);
      }
      expect((await sdk.batches.all()).map(({ id }) => id)).toEqual(ids);
      expect((await sdk.batches.all({ limit: 9 })).map(({ id }) => id)).toEqual(ids);
    },
  },
  {
    section: "2.5",
    title: "`has_more` is always there, and never true beside an empty page",
    async check({ still }) {
      const { sdk, server } = await still();
      for (const path of ["/v1/files", "/v1/batches", "/v1/files?limit=0", "/v1/batches?limit=0"]) {
        expect(await (await server.send(path)).json()).toMatchObject({ data: [], has_more: false });
      }
      await upload(sdk);
      expect(await (await server.send("/v1/files?limit=0")).json()).toMatchObject({ has_more: false });
      expect((await sdk.files.list({ limit: 1 })).has_more).toBe(false);
    },
  },
  {
    section: "2.5",
    title: "Batches: a `limit` out of range is 400 `integer_above_max_value` or `integer_below_min_value`",
    async check({ sdk }) {
      expect(await refusal(sdk.batches.list({ limit: 101 }))).toMatchObject({
        status: 400,
        code: "integer_above_max_value",
      });
      expect(await refusal(sdk.batches.list({ limit: -1 }))).toMatchObject({
        status: 400,
        code: "integer_below_min_value",
      });
    },
  },
  {
    section: "2.5",
    title: "`limit=0` gives 200 with an empty page",
    async check({ sdk }) {
      await start(sdk);
      expect(await sdk.batches.list({ limit: 0 })).toMatchObject({ data: [] });
      expect(await sdk.files.list({ limit: 0 })).toMatchObject({ data: [] });
    },
  },
  {
    section: "2.5",
    title: "An empty list has null as `first_id` and `last_id`",
    difference: "Not public whether OpenAI sends null or nothing for files and batches; Nerif sends null",
    async check({ still }) {
      const { server } = await still();
      for (const path of ["/v1/files", "/v1/batches"]) {
        expect(await (await server.send(path)).json()).toMatchObject({ first_id: null, last_id: null });
      }
    },
  },
  {
    section: "2.5",
    title: "An `after` that nobody knows",
    difference: "Not public at OpenAI; 404 here",
    async check({ sdk }) {
      expect(await refusal(sdk.files.list({ after: `file-${"x".repeat(22)}` }))).toMatchObject({
        status: 404,
        param: "after",
      });
      expect(await refusal(sdk.batches.list({ after: `batch_${"0".repeat(32)}` }))).toMatchObject({
        status: 404,
        param: "after",
      });
    },
  },
  {
    section: "2.5",
    title: "Items of the same second keep their order over all pages",
    async check({ still }) {
      const { sdk } = await still();
      const ids = (await uploads(sdk, 9)).toReversed();
      for (const limit of [1, 2, 4, 100]) {
        expect((await sdk.files.all({ limit })).map(({ id }) => id)).toEqual(ids);
      }
      expect((await sdk.files.all({ limit: 2, order: "asc" })).map(({ id }) => id)).toEqual(ids.toReversed());
    },
  },
  {
    section: "2.5",
    title: "A deleted file still works as `after`",
    async check({ sdk }) {
      const purpose = "user_data";
      const ids = await uploads(sdk, 3, purpose);
      await sdk.files.delete(ids[1] ?? "");
      const page = await sdk.files.list({ purpose, after: ids[1] ?? "", limit: 1 });
      expect(page.data.map(({ id }) => id)).toEqual([ids[0]]);
    },
  },
];

/** Oldest first. */
async function uploads(sdk: Sdk, count: number, purpose = "batch"): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const file = { bytes: "{}\n", name: `${i}.jsonl` };
    ids.push((await sdk.files.create({ file, purpose })).id);
  }
  return ids;
}
