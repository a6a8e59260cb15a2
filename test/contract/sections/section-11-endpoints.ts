import { expect } from "vitest";
import { batchEvents, endpointParams as params, withEndpoint } from "../endpoint-steps.ts";
import type { Row } from "../row.ts";
import type { Params, Sdk } from "../sdk/sdk.ts";
import { refusal } from "../steps.ts";

const unknown = `whe_${"0".repeat(32)}`;

/** Managing webhook endpoints: §11.2. */
export const endpointRows: Row[] = [
  {
    section: "11.2",
    title: "`POST /webhook_endpoints` answers with the endpoint and its `signing_secret`",
    needs: "webhooks.create",
    async check({ sdk, server }) {
      await withEndpoint(sdk, async (endpoint) => {
        expect(server.last()).toMatchObject({ method: "POST", path: "/v1/webhook_endpoints", status: 200 });
        expect(endpoint.signing_secret).toMatch(/^whsec_/);
      });
    },
  },
  {
    section: "11.2",
    title: "`name`, `url` and `event_types` are required",
    needs: "webhooks.create",
    async check({ sdk }) {
      for (const name of ["name", "url", "event_types"]) {
        const { [name]: _, ...body } = params as Params;
        const call = sdk.request({ method: "post", path: "/webhook_endpoints", body });
        expect(await refusal(call)).toMatchObject({ status: 400, param: name });
      }
    },
  },
  {
    section: "11.2",
    title: "`name` has 1 to 256 characters",
    needs: "webhooks.create",
    async check({ sdk }) {
      for (const name of ["", "x".repeat(257)]) {
        expect(await refusal(sdk.webhooks.create({ ...params, name }))).toMatchObject({
          status: 400,
          param: "name",
        });
      }
      await withEndpoint(sdk, async ({ name }) => expect(name).toHaveLength(256), { name: "x".repeat(256) });
    },
  },
  {
    section: "11.2",
    title: "`url` begins with `https://` and has at most 2,048 characters",
    needs: "webhooks.create",
    async check({ sdk }) {
      const long = "https://hooks.example.net/".padEnd(2_048, "x");
      for (const url of ["http://hooks.example.net/", "ftp://hooks.example.net/", `${long}x`]) {
        expect(await refusal(sdk.webhooks.create({ ...params, url }))).toMatchObject({
          status: 400,
          param: "url",
        });
      }
      await withEndpoint(sdk, async ({ url }) => expect(url).toBe(long), { url: long });
    },
  },
  {
    section: "11.2",
    title: "`event_types` has at least one type",
    needs: "webhooks.create",
    async check({ sdk }) {
      expect(await refusal(sdk.webhooks.create({ ...params, event_types: [] }))).toMatchObject({
        status: 400,
        param: "event_types",
      });
    },
  },
  {
    section: "11.2",
    title:
      "An endpoint has `id`, `object: webhook_endpoint`, `created_at`, `updated_at`, `name`, `url`, `event_types`, `signing_secret_hint`",
    needs: "webhooks.create",
    async check({ sdk }) {
      await withEndpoint(sdk, async ({ id, created_at }) => {
        const { _request_id: _, ...shown } = await sdk.webhooks.retrieve(id);
        expect(shown).toEqual({
          id: expect.stringMatching(/^whe_/),
          object: "webhook_endpoint",
          created_at,
          updated_at: created_at,
          ...params,
          signing_secret_hint: expect.any(String),
        });
      });
    },
  },
  {
    section: "11.2",
    title: "The form of `signing_secret_hint`",
    difference: "Not public at OpenAI; `whsec_****` and the last four characters",
    needs: "webhooks.create",
    async check({ sdk }) {
      await withEndpoint(sdk, async ({ signing_secret = "", signing_secret_hint }) => {
        expect(signing_secret_hint).toBe(`whsec_****${signing_secret.slice(-4)}`);
      });
    },
  },
  {
    section: "11.2",
    title: "`GET /webhook_endpoints` lists them, newest first",
    needs: "webhooks.create",
    async check({ still }) {
      const { sdk } = await still();
      const ids = await createThree(sdk);
      expect((await sdk.webhooks.list()).data.map(({ id }) => id)).toEqual(ids);
    },
  },
  {
    section: "11.2",
    title: "Its `limit` is 1 to 100, by default 20, and `after` is the last one seen",
    needs: "webhooks.create",
    async check({ still }) {
      const { sdk } = await still();
      const ids = await createThree(sdk);
      const page = await sdk.webhooks.list({ limit: 1, after: ids[0] ?? "" });
      expect(page).toMatchObject({ data: [{ id: ids[1] }], has_more: true });
      expect((await sdk.webhooks.list({ limit: 100 })).data).toHaveLength(3);
      for (const limit of [0, 101]) {
        expect(await refusal(sdk.webhooks.list({ limit }))).toMatchObject({ status: 400, param: "limit" });
      }
    },
  },
  {
    section: "11.2",
    title: "The SDK pages through them by itself",
    needs: "webhooks.create",
    async check({ still }) {
      const { sdk } = await still();
      const ids = await createThree(sdk);
      expect((await sdk.webhooks.all({ limit: 2 })).map(({ id }) => id)).toEqual(ids);
    },
  },
  {
    section: "11.2",
    title:
      "The list has `object`, `data`, `first_id`, `last_id`, `has_more`; of an empty one both ids are null",
    needs: "webhooks.create",
    async check({ still }) {
      const { sdk, server } = await still();
      const list = async () => (await server.send("/v1/webhook_endpoints")).json();
      const empty = { object: "list", data: [], first_id: null, last_id: null, has_more: false };
      expect(await list()).toEqual(empty);
      const ids = await createThree(sdk);
      expect(await list()).toMatchObject({ object: "list", first_id: ids[0], last_id: ids[2] });
    },
  },
  {
    section: "11.2",
    title: "`GET /webhook_endpoints/{id}` answers with the endpoint; an unknown one is 404",
    needs: "webhooks.create",
    async check({ sdk, server }) {
      await withEndpoint(sdk, async ({ id }) => {
        expect(await sdk.webhooks.retrieve(id)).toMatchObject({ id });
        expect(server.last()).toMatchObject({ method: "GET", path: `/v1/webhook_endpoints/${id}` });
      });
      expect(await refusal(sdk.webhooks.retrieve(unknown))).toMatchObject({ status: 404 });
    },
  },
  {
    section: "11.2",
    title:
      "`POST /webhook_endpoints/{id}` changes any of `name`, `url`, `event_types`; the types are replaced as a whole",
    needs: "webhooks.create",
    async check({ sdk }) {
      await withEndpoint(sdk, async ({ id }) => {
        expect(await sdk.webhooks.update(id, { name: "other" })).toMatchObject({ ...params, name: "other" });
        const event_types = ["batch.expired"];
        expect(await sdk.webhooks.update(id, { event_types })).toMatchObject({ name: "other", event_types });
        expect(await refusal(sdk.webhooks.update(id, { event_types: [] }))).toMatchObject({ status: 400 });
      });
    },
  },
  {
    section: "11.2",
    title:
      "`updated_at` moves on a change of configuration or secret, not on a test nor on an update that changes nothing",
    needs: "webhooks.create",
    async check({ still }) {
      const { sdk, clock } = await still();
      const { id, created_at } = await sdk.webhooks.create(params);
      clock.jump(10_000);
      expect((await sdk.webhooks.update(id, { name: params.name })).updated_at).toBe(created_at);
      expect((await sdk.webhooks.update(id, { name: "other" })).updated_at).toBe(created_at + 10);
      clock.jump(10_000);
      expect((await sdk.webhooks.rotateSecret(id)).updated_at).toBe(created_at + 20);
    },
  },
  {
    section: "11.2",
    title:
      "`DELETE /webhook_endpoints/{id}` answers `{id, object: webhook_endpoint.deleted, deleted: true}`, also to Python's empty JSON body",
    needs: "webhooks.create",
    async check({ sdk, server, language }) {
      const { id } = await sdk.webhooks.create(params);
      expect(await sdk.webhooks.delete(id)).toMatchObject({
        id,
        object: "webhook_endpoint.deleted",
        deleted: true,
      });
      const type = server.last().headers["content-type"];
      expect(type).toBe(language === "python" ? "application/json" : undefined);
      expect(await refusal(sdk.webhooks.retrieve(id))).toMatchObject({ status: 404 });
    },
  },
  {
    section: "11.2",
    title: "`GET /webhook_event_types` answers `{object: list, data: [text, …]}` without paging",
    needs: "webhooks.eventTypes",
    async check({ sdk, server }) {
      await sdk.webhooks.eventTypes();
      expect(JSON.parse(server.last().answer)).toEqual({ object: "list", data: expect.any(Array) });
      expect(server.last().path).toBe("/v1/webhook_event_types");
    },
  },
  {
    section: "11.2",
    title: "Event types of responses, evals, fine-tuning, realtime, video, safety and agents",
    difference: "Only the four of batches are listed and accepted: nothing else happens here",
    needs: "webhooks.eventTypes",
    async check({ sdk }) {
      expect((await sdk.webhooks.eventTypes()).data.toSorted()).toEqual(batchEvents.toSorted());
      const other = { ...params, event_types: ["response.completed"] };
      expect(await refusal(sdk.webhooks.create(other))).toMatchObject({ status: 400 });
    },
  },
  {
    section: "11.2",
    title: "No `OpenAI-Beta` header is needed",
    needs: "webhooks.create",
    async check({ sdk, server }) {
      await sdk.webhooks.list();
      expect(server.last()).toMatchObject({ status: 200 });
      expect(server.last().headers).not.toHaveProperty("openai-beta");
    },
  },
  {
    section: "11.2",
    title: "The same URL twice, private addresses, the bodies of errors",
    difference:
      "Not public at OpenAI; a URL may be used twice, private addresses are refused unless `--webhook-allow` admits them, errors are like all others",
    needs: "webhooks.create",
    async check({ sdk }) {
      await withEndpoint(sdk, () => withEndpoint(sdk, async ({ url }) => expect(url).toBe(params.url)));
      for (const url of [
        "https://10.0.0.1/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://0x7f.2/",
      ]) {
        expect(await refusal(sdk.webhooks.create({ ...params, url }))).toMatchObject({
          status: 400,
          type: "invalid_request_error",
          param: "url",
          code: "webhook_address_refused",
        });
      }
    },
  },
];

/** Newest first. */
async function createThree(sdk: Sdk): Promise<string[]> {
  const ids: string[] = [];
  for (const name of ["a", "b", "c"]) ids.unshift((await sdk.webhooks.create({ ...params, name })).id);
  return ids;
}
