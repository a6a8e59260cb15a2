import OpenAI, { toFile } from "openai";
import OpenAI6 from "openai6";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { requestLine } from "../support/http-instance.ts";
import { type ServeProcess, startServeProcess } from "../support/http-process.ts";
import { inputForm, startTestServer, type TestServer } from "../support/http-server.ts";

const line = `${requestLine("a")}\n`;
const window = { endpoint: "/v1/embeddings", completion_window: "24h" } as const;

function upload(server: TestServer, key: string, text = line): Promise<Response> {
  const headers = { "idempotency-key": key };
  return server.send("/v1/files", { method: "POST", body: inputForm(text), headers });
}

function create(server: Pick<ServeProcess, "url">, params: object, key: string): Promise<Response> {
  const body = JSON.stringify(params);
  return fetch(`${server.url}/v1/batches`, { method: "POST", body, headers: { "Idempotency-Key": key } });
}

describe("Idempotency-Key", () => {
  it("gives the first answer again, says so, and creates nothing", async () => {
    const server = await startTestServer();
    const first = await upload(server, "one");
    expect([first.status, first.headers.get("idempotent-replayed")]).toEqual([200, null]);
    const file = (await first.json()) as { id: string };
    const again = await upload(server, "one");
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
    expect(await again.json()).toEqual(file);

    const params = { input_file_id: file.id, ...window };
    const answers = await Promise.all([1, 2, 3].map(() => create(server, params, "two")));
    expect(answers.map(({ headers }) => headers.get("idempotent-replayed")).toSorted()).toEqual(
      [null, "true", "true"].toSorted(),
    );
    const bodies = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(bodies).size).toBe(1);
    const { data } = (await (await server.send("/v1/batches")).json()) as { data: unknown[] };
    expect(data).toHaveLength(1);
  });

  it("is refused for something else, for good", async () => {
    const server = await startTestServer();
    await upload(server, "one");
    const other = await upload(server, "one", `${line}${line}`);
    expect([other.status, other.headers.get("x-should-retry")]).toEqual([409, "false"]);
    expect(await other.json()).toMatchObject({
      error: { type: "invalid_request_error", code: "idempotency_key_reused", param: "Idempotency-Key" },
    });
  });

  it("gives a file again that has used up the quota of its key, and asks for the key all the same", async () => {
    const server = await startTestServer();
    const quotas = { stored_bytes: line.length };
    const { key } = await server.instance.service.keys.create({ quotas });
    const send = (text: string, headers: Record<string, string>) =>
      server.send("/v1/files", { method: "POST", body: inputForm(text), headers });
    const [api, once] = [{ authorization: `Bearer ${key}` }, { "idempotency-key": "once" }];
    const first = await send(line, { ...api, ...once });
    expect(first.status).toBe(200);
    expect((await send(line, api)).status).toBe(429);
    const again = await send(line, { ...api, ...once });
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
    expect(await again.json()).toEqual(await first.json());
    for (const other of [line.replace("a", "b"), `${line}${line}`]) {
      const refused = await send(other, { ...api, ...once });
      expect([refused.status, refused.headers.get("idempotent-replayed")]).toEqual([409, null]);
    }
    expect((await send(line, once)).status).toBe(401);
  });

  it.each(["", "two words", "x".repeat(256), "\u00fc"])("is refused as %j, before the body", async (key) => {
    const server = await startTestServer();
    const response = await server.send("/v1/batches", {
      method: "POST",
      body: "no JSON",
      headers: { "idempotency-key": key },
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { param: "Idempotency-Key", code: "invalid_value" },
    });
  });

  it("still gives the first answer when the server was killed right after it", async () => {
    const upstream = createSimulator({ latency: { kind: "fixed", ms: 200 } });
    const { url } = await upstream.listen();
    onTestFinished(() => upstream.close());
    const server = await startServeProcess({ upstream: url });
    const client = new OpenAI({ apiKey: "unused", baseURL: `${server.url}/v1` });
    const input = await client.files.create({
      file: await toFile(Buffer.from(line), "a.jsonl"),
      purpose: "batch",
    });
    const params = { input_file_id: input.id, ...window };
    const first = await create(server, params, "crash");
    await server.stop("SIGKILL");
    const batch = (await first.json()) as { id: string };

    const next = await startServeProcess({ upstream: url, dataDir: server.dataDir });
    const again = await create(next, params, "crash");
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await again.json()).toEqual(batch);
    const { data } = await new OpenAI({ apiKey: "unused", baseURL: `${next.url}/v1` }).batches.list();
    expect(data.map(({ id }) => id)).toEqual([batch.id]);
  });
});

describe.each([
  ["newest", OpenAI],
  ["previous major", OpenAI6 as unknown as typeof OpenAI],
] as const)("the %s OpenAI SDK", (_, Client) => {
  it("sends a key as a header of one request", async () => {
    const server = await startTestServer();
    const client = new Client({ apiKey: "unused", baseURL: `${server.url}/v1` });
    const headers = (key: string) => ({ headers: { "Idempotency-Key": key } });
    const file = async () => ({
      file: await toFile(Buffer.from(line), "a.jsonl"),
      purpose: "batch" as const,
    });
    const input = await client.files.create(await file(), headers("f"));
    expect((await client.files.create(await file(), headers("f"))).id).toBe(input.id);
    const params = { input_file_id: input.id, ...window };
    const batch = await client.batches.create(params, headers("b"));
    const replay = await client.batches.create(params, headers("b")).withResponse();
    expect(replay.data.id).toBe(batch.id);
    expect(replay.response.headers.get("idempotent-replayed")).toBe("true");
    const reused = client.batches.create({ ...params, metadata: { a: "b" } }, headers("b"));
    await expect(reused).rejects.toMatchObject({ status: 409, code: "idempotency_key_reused" });
    expect((await client.batches.list()).data).toHaveLength(1);
  });

  it("does no harm when it repeats a request that carries a key", async () => {
    const server = await startTestServer();
    const keys: string[] = [];
    const client = new Client({
      apiKey: "unused",
      baseURL: `${server.url}/v1`,
      async fetch(url, init) {
        const response = await fetch(url, init as RequestInit);
        // The SDK also asks its fetch whether it knows forms.
        if (!String(url).startsWith(server.url)) return response;
        keys.push(new Headers(init?.headers).get("idempotency-key") ?? "");
        // The answer to the first request is lost on the way.
        if (keys.length === 1) throw new TypeError("fetch failed");
        return response;
      },
    });
    const file = await toFile(Buffer.from(line), "a.jsonl");
    const { id } = await client.files.create(
      { file, purpose: "batch" },
      { headers: { "Idempotency-Key": "f" } },
    );
    expect(keys).toEqual(["f", "f"]);
    const { data } = (await (await server.send("/v1/files")).json()) as { data: { id: string }[] };
    expect(data.map((each) => each.id)).toEqual([id]);
  });
});
