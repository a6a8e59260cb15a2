import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { type BatchListParams, createNerif } from "../../src/index.ts";
import { startCli } from "../support/cli-process.ts";
import { createTestClock } from "../support/clock.ts";
import { openTestInstance, project, requestLine, uploadInput } from "../support/http-instance.ts";
import { startTestServer } from "../support/http-server.ts";
import { storageAt } from "../support/storage.ts";

/** A server with batches of 1,000 seconds one after another: a failed one of team a, and two of teams a and b. */
async function startWithBatches() {
  const clock = createTestClock();
  const instance = await openTestInstance({ clock });
  const server = await startTestServer({ instance });
  const input = await uploadInput(instance, `${requestLine("a")}\n`);
  const params = { input_file_id: input.id, endpoint: "/v1/embeddings", completion_window: "24h" };
  const create = async (metadata: Record<string, string>) => {
    clock.advance(1_000_000);
    return instance.service.batches.create(project, { ...params, metadata });
  };
  const first = await create({ team: "a", "k&=[]": 'says "x,"' });
  await instance.control.updateBatch(first.id, 1, { status: "failed" });
  const [second, third] = [await create({ team: "a", tier: "1" }), await create({ team: "b" })];
  const list = async (query: string) => {
    const response = await server.send(`/v1/batches?${query}`);
    const body = (await response.json()) as { data: { id: string }[]; has_more: boolean; error?: object };
    if (!response.ok) return { status: response.status, ...body.error };
    return { ids: body.data.map(({ id }) => id), has_more: body.has_more };
  };
  return { server, list, batches: [first, second, third] as const };
}

describe("GET /v1/batches", () => {
  it("is told the limit of a number however long it is", async () => {
    const { list } = await startWithBatches();
    for (const limit of ["101", "99999999999999999999"]) {
      expect(await list(`limit=${limit}`)).toMatchObject({
        status: 400,
        code: "integer_above_max_value",
        message: expect.stringContaining("Expected a value <= 100, but got "),
      });
    }
    expect(await list("limit=-99999999999999999999")).toMatchObject({ code: "integer_below_min_value" });
    expect(await list("limit=0000000000000000003")).toMatchObject({ has_more: false });
  });

  it("lists what fits all filters", async () => {
    const { list, batches } = await startWithBatches();
    const [first, second, third] = batches;
    const all = { ids: [third.id, second.id, first.id], has_more: false };
    expect(await list("")).toEqual(all);
    expect(await list("status=&created_after=&after=&unknown=1&api-version=2024")).toEqual(all);
    expect(await list("status=failed")).toMatchObject({ ids: [first.id] });
    expect(await list(`created_after=${first.created_at}`)).toMatchObject({ ids: [third.id, second.id] });
    expect(await list(`created_before=${third.created_at}`)).toMatchObject({ ids: [second.id, first.id] });
    expect(await list("metadata[team]=a")).toMatchObject({ ids: [second.id, first.id] });
    expect(await list("metadata%5Bteam%5D=a&metadata%5Btier%5D=1")).toMatchObject({ ids: [second.id] });
    const odd = `metadata[${encodeURIComponent("k&=[]")}]=${encodeURIComponent('says "x,"')}`;
    expect(await list(odd)).toMatchObject({ ids: [first.id] });
    expect(await list("metadata[team]=A")).toMatchObject({ ids: [] });
    expect(await list(`status=validating&metadata[team]=a&created_before=${third.created_at}`)).toMatchObject(
      {
        ids: [second.id],
      },
    );
  });

  it("pages through what fits, also from a batch that does not", async () => {
    const { list, batches } = await startWithBatches();
    const [first, second, third] = batches;
    expect(await list("metadata[team]=a&limit=1")).toEqual({ ids: [second.id], has_more: true });
    expect(await list(`metadata[team]=a&limit=1&after=${second.id}`)).toEqual({
      ids: [first.id],
      has_more: false,
    });
    expect(await list(`metadata[team]=a&after=${third.id}`)).toMatchObject({ ids: [second.id, first.id] });
    expect(await list("metadata[team]=a&limit=0")).toEqual({ ids: [], has_more: false });
  });

  it.each([
    ["status=done", "status", "invalid_value"],
    ["created_after=yesterday", "created_after", "invalid_type"],
    ["created_before=-1", "created_before", "integer_below_min_value"],
    ["created_after=1.5", "created_after", "invalid_type"],
    ["metadata=x", "metadata", "invalid_type"],
    ["metadata[a]=1&metadata[a]=2", "metadata.a", "invalid_value"],
    [`metadata[${"k".repeat(65)}]=1`, "metadata", "string_above_max_length"],
    [`metadata[k]=${"v".repeat(513)}`, "metadata.k", "string_above_max_length"],
    [
      Array.from({ length: 17 }, (_, i) => `metadata[${i}]=1`).join("&"),
      "metadata",
      "object_above_max_properties",
    ],
    ["limit=101", "limit", "integer_above_max_value"],
  ])("refuses %s", async (query, param, code) => {
    const { list } = await startWithBatches();
    expect(await list(query)).toMatchObject({ status: 400, param, code });
  });

  it.each(["batches", "files"])(
    "answers a cursor of %s that cannot be one like an unknown one",
    async (what) => {
      const server = await startTestServer();
      const long = await server.send(`/v1/${what}?after=${"x".repeat(5_000)}%00`);
      expect(long.status).toBe(404);
      const { error } = (await long.json()) as { error: { message: string; param: string } };
      expect(error.param).toBe("after");
      expect(error.message).toMatch(
        /^Cannot list (batches|files) after 'x{80}': there is no such (batch|file)$/,
      );
    },
  );

  it("takes the filters from the official SDK", async () => {
    const { server, batches } = await startWithBatches();
    const client = new OpenAI({ apiKey: "unused", baseURL: `${server.url}/v1` });
    const query = { status: "validating", metadata: { team: "a" } };
    const found: string[] = [];
    for await (const batch of client.batches.list({ limit: 1 }, { query: { limit: 1, ...query } }))
      found.push(batch.id);
    expect(found).toEqual([batches[1].id]);
  });
});

describe("the same filters", () => {
  it("are options of the library", async () => {
    const { server, batches } = await startWithBatches();
    const [first, second] = batches;
    await using nerif = createNerif({ ...storageAt(server.instance.dataDir), execute: false });
    const ids = async (params: BatchListParams) =>
      (await nerif.batches.list(params)).data.map(({ id }) => id);
    expect(await ids({ status: "failed" })).toEqual([first.id]);
    expect(await ids({ metadata: { team: "a" }, created_after: first.created_at })).toEqual([second.id]);
    const misspelt = { statuses: "failed" } as BatchListParams;
    await expect(nerif.batches.list(misspelt)).rejects.toMatchObject({
      code: "unknown_parameter",
      param: "statuses",
    });
  });

  it.each(["the data directory", "a server"])("are options of the command at %s", async (where) => {
    const { server, batches } = await startWithBatches();
    const [first, second, third] = batches;
    const iso = (seconds: number) => new Date(seconds * 1_000).toISOString();
    const { dataDir } = server.instance;
    const at = where === "a server" ? ["--server", server.url] : ["--data-dir", dataDir];
    const list = async (...flags: string[]) => {
      const args = ["batches", "list", "--json", ...at, ...flags];
      const { code, stdout, stderr } = await startCli(args, { cwd: dataDir }).ended;
      const ids = stdout.split("\n").flatMap((text) => (text === "" ? [] : [JSON.parse(text).id]));
      return { code, ids, stderr };
    };
    const [failed, tagged, between, wrong] = await Promise.all([
      list("--status", "failed"),
      list("--metadata", "team=a,tier=1"),
      list("--created-after", iso(first.created_at), "--created-before", String(third.created_at)),
      list("--status", "done"),
    ]);
    expect(failed).toEqual({ code: 0, ids: [first.id], stderr: "" });
    expect(tagged.ids).toEqual([second.id]);
    expect(between.ids).toEqual([second.id]);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^nerif: Cannot use --status "\w+": it must be one of validating, /),
    });
  });
});
