import { expect } from "vitest";
import { createSystemClock } from "../../../src/engine/clock.ts";
import type { Row } from "../row.ts";
import { chat, lines, refusal, run, start, upload } from "../steps.ts";

/** What the SDKs do that a server has to bear. */
export const clientRows: Row[] = [
  {
    section: "12.1",
    title: "409 with `x-should-retry: false` is one request",
    async check({ sdk, server }) {
      const { id } = await run(sdk);
      const from = server.tap.exchanges.length;
      expect(await refusal(sdk.batches.cancel(id))).toMatchObject({ status: 409 });
      expect(server.tap.exchanges).toHaveLength(from + 1);
      expect(server.last().answerHeaders["x-should-retry"]).toBe("false");
    },
  },
  {
    section: "12.1",
    title:
      "409 without it is tried again twice, marked `x-stainless-retry-count`: the header is what saves the requests",
    async check({ sdk, server }) {
      const { id } = await run(sdk);
      const from = server.tap.exchanges.length;
      server.tap.hidden.add("x-should-retry");
      try {
        await refusal(sdk.batches.cancel(id));
      } finally {
        server.tap.hidden.clear();
      }
      const sent = server.tap.exchanges.slice(from);
      expect(sent.map(({ headers }) => headers["x-stainless-retry-count"])).toEqual(["0", "1", "2"]);
    },
  },
  {
    section: "12.1",
    title: "Other 4xx are one request",
    async check({ sdk, server }) {
      const from = server.tap.exchanges.length;
      await refusal(sdk.batches.list({ limit: 101 }));
      await refusal(sdk.files.retrieve(`file-${"x".repeat(22)}`));
      expect(server.tap.exchanges).toHaveLength(from + 2);
    },
  },
  {
    section: "12.1",
    title: "500 and above are tried again twice",
    async check({ still }) {
      const { sdk, server } = await still();
      await server.instance.control.close();
      await refusal(sdk.batches.list());
      expect(server.logged).toHaveLength(3);
    },
  },
  {
    section: "12.1",
    title: "429 is tried again after `retry-after-ms` and `retry-after`, and goes well then",
    async check({ still }) {
      const { server, client, tap } = await still({ clock: createSystemClock() });
      const { key } = await server.instance.service.keys.create({ quotas: { requests_per_second: 5 } });
      const sdk = client({ apiKey: key });
      for (let calls = 0; calls < 14; calls += 1) await sdk.batches.list();
      const refused = tap.exchanges.filter(({ status }) => status === 429);
      expect(refused.length).toBeGreaterThan(0);
      for (const { answerHeaders } of refused) {
        expect(Number(answerHeaders["retry-after-ms"])).toBeGreaterThan(0);
        expect(Number(answerHeaders["retry-after"])).toBeGreaterThan(0);
      }
    },
  },
  {
    section: "12.1",
    title: "429 for a quota that is used up has `x-should-retry: false`, and is one request",
    async check({ still }) {
      const { server, client, tap } = await still();
      const { key } = await server.instance.service.keys.create({ quotas: { stored_bytes: 2 } });
      const refused = await refusal(upload(client({ apiKey: key })));
      expect(refused).toMatchObject({ status: 429, code: "quota_exceeded" });
      expect(tap.exchanges.map(({ answerHeaders }) => answerHeaders["x-should-retry"])).toEqual(["false"]);
    },
  },
  {
    section: "12.1",
    title: "Node never repeats an upload of a stream",
    only: "node",
    async check({ still, file }) {
      const { sdk, server, tap } = await still();
      await server.instance.control.close();
      const path = await file(lines(10));
      const refused = await refusal(sdk.files.create({ file: { path }, purpose: "batch" }));
      expect(refused).toMatchObject({ className: "InternalServerError" });
      expect(tap.exchanges).toHaveLength(1);
    },
  },
  {
    section: "12.1",
    title: "Neither SDK sends an `Idempotency-Key`",
    async check({ sdk, server }) {
      await start(sdk);
      for (const path of ["/v1/files", "/v1/batches"]) {
        expect(server.last(path).headers).not.toHaveProperty("idempotency-key");
      }
    },
  },
  {
    section: "12.2",
    title: "Python sends an empty body that claims to be JSON on cancel",
    only: "python",
    async check({ on }) {
      const { sdk, last } = await on("hanging");
      const { id } = await start(sdk);
      expect(await sdk.batches.cancel(id)).toMatchObject({ status: "cancelling" });
      expect(last()).toMatchObject({
        headers: { "content-type": "application/json", "content-length": "0" },
        body: "",
        status: 200,
      });
    },
  },
  {
    section: "12.2",
    title: "Python sends an empty body that claims to be JSON on DELETE",
    only: "python",
    async check({ sdk, server }) {
      const { id } = await upload(sdk);
      expect(await sdk.files.delete(id)).toMatchObject({ deleted: true });
      expect(server.last()).toMatchObject({
        headers: { "content-type": "application/json" },
        body: "",
        status: 200,
      });
    },
  },
  {
    section: "12.2",
    title: "Node sends no content type on cancel",
    only: "node",
    async check({ on }) {
      const { sdk, last } = await on("hanging");
      const { id } = await start(sdk);
      expect(await sdk.batches.cancel(id)).toMatchObject({ status: "cancelling" });
      expect(last().headers).not.toHaveProperty("content-type");
    },
  },
  {
    section: "12.2",
    title: "`x-stainless-*`, `User-Agent` and `Accept-Encoding` change nothing",
    async check({ sdk, server, language }) {
      await sdk.batches.list();
      const { headers, status } = server.last();
      expect(status).toBe(200);
      expect(headers["x-stainless-lang"]).toBe(language === "python" ? "python" : "js");
      expect(headers["user-agent"]).toMatch(/^OpenAI\//);
      expect(headers["accept-encoding"]).toMatch(/gzip/);
    },
  },
  {
    section: "12.2",
    title: "`OpenAI-Beta` is not sent here, and unknown values are ignored",
    async check({ sdk, client, server }) {
      await sdk.batches.list();
      expect(server.last().headers).not.toHaveProperty("openai-beta");
      await client({ headers: { "OpenAI-Beta": "something=v9" } }).batches.list();
      expect(server.last().status).toBe(200);
    },
  },
  {
    section: "12.2",
    title: "A base URL may end in a slash",
    async check({ client, server }) {
      const sdk = client({ baseUrl: `${server.url}/v1/` });
      expect((await sdk.batches.list()).data).toBeInstanceOf(Array);
      expect(server.last().path).toBe("/v1/batches");
    },
  },
  {
    section: "12.2",
    title: "JSON bodies leave out what is not set; `metadata: null` is possible",
    async check({ sdk, server }) {
      const { id } = await upload(sdk);
      expect(await sdk.batches.create({ input_file_id: id, ...chat, metadata: null })).toMatchObject({
        metadata: null,
      });
      expect(JSON.parse(server.last().body)).toEqual({ input_file_id: id, ...chat, metadata: null });
    },
  },
  {
    section: "12.3",
    title: "`waitForProcessing` / `wait_for_processing` returns at once",
    async check({ sdk, server }) {
      const { id } = await upload(sdk);
      const from = server.tap.exchanges.length;
      expect(await sdk.files.waitForProcessing(id)).toMatchObject({ id, status: "processed" });
      expect(server.tap.exchanges).toHaveLength(from + 1);
    },
  },
  {
    section: "12.3",
    title: "No helper polls batches, downloads results or builds inputs; polling by hand reaches the end",
    async check({ sdk }) {
      const batch = await run(sdk, lines(2));
      const output = await sdk.files.content(batch.output_file_id ?? "");
      expect(output.toString().trimEnd().split("\n")).toHaveLength(2);
    },
  },
  {
    section: "12.3",
    title: "Python's `with_raw_response` has the request id and the parsed answer",
    only: "python",
    async check({ sdk }) {
      const { id } = await start(sdk);
      // The driver retrieves batches in this way.
      expect(await sdk.batches.retrieve(id)).toMatchObject({
        id,
        _request_id: expect.stringMatching(/^req_/),
      });
    },
  },
  {
    section: "12.3",
    title: "Python's older `files.retrieve_content` gives the text",
    only: "python",
    async check({ sdk }) {
      const { id } = await upload(sdk, lines(2));
      expect(await sdk.files.legacyContent(id)).toBe(lines(2));
    },
  },
];
