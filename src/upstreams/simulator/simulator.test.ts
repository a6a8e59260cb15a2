import { hash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterEach, expect, test } from "vitest";
import { createSimulator, type ScriptedCall, type Simulator, type SimulatorOptions } from "./simulator.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: SimulatorOptions = {}): Promise<{ url: string; simulator: Simulator }> {
  const simulator = createSimulator(options);
  cleanups.push(() => simulator.close());
  const { url } = await simulator.listen();
  return { url, simulator };
}

const chat = { model: "m", messages: [{ role: "user", content: "Say something, please" }] };

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers,
  });
}

const endpoints: [string, object][] = [
  ["chat/completions", chat],
  ["completions", { model: "m", prompt: "Once" }],
  ["embeddings", { model: "m", input: ["one", "two"] }],
  ["responses", { model: "m", input: "Say something" }],
  ["moderations", { input: "Something nasty" }],
];

test.each(endpoints)(
  "%s answers the same when the same is asked, also in another process",
  async (path, body) => {
    const one = await start({ seed: 7 });
    const other = await start({ seed: 7 });
    const answers = [`${one.url}/${path}`, `${one.url}/${path}`, `${other.url}/${path}`].map((url) =>
      post(url, body),
    );
    const texts = await Promise.all(answers.map(async (answer) => (await answer).text()));
    expect(new Set(texts).size).toBe(1);
  },
);

test.each([
  ["seed", { seed: 8 }, chat],
  ["body", { seed: 7 }, { ...chat, temperature: 1 }],
])("the answer is another when the %s is", async (_, options, body) => {
  const text = async (from: SimulatorOptions, asked: object) => {
    const { url } = await start(from);
    return (await post(`${url}/chat/completions`, asked)).json();
  };
  const choices = (answer: unknown) => (answer as { choices: unknown }).choices;
  expect(choices(await text(options, body))).not.toEqual(choices(await text({ seed: 7 }, chat)));
});

test("the official client understands every answer", async () => {
  const { url } = await start({ models: ["m", "n"], dimensions: 4 });
  const client = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0 });

  const answer = await client.chat.completions.create({ ...chat, max_tokens: 3, n: 2 } as never);
  const { choices, usage } = answer as OpenAI.ChatCompletion;
  expect(choices.map(({ finish_reason }) => finish_reason)).toEqual(["length", "length"]);
  expect(choices[0]?.message.content?.split(" ").length).toBe(3);
  expect(usage).toMatchObject({ completion_tokens: 6, prompt_tokens: 7, total_tokens: 13 });

  const asked = { model: "m", input: ["one", "two"] };
  const binary = await client.embeddings.create(asked);
  const text = await client.embeddings.create({ ...asked, encoding_format: "float" });
  expect(binary.data.length).toBe(2);
  for (const [i, { embedding }] of text.data.entries()) {
    expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
    for (const [j, value] of embedding.entries()) expect(binary.data[i]?.embedding[j]).toBeCloseTo(value, 5);
  }
  const alone = await client.embeddings.create({ model: "m", input: "two", encoding_format: "float" });
  expect(alone.data[0]?.embedding).toEqual(text.data[1]?.embedding);
  expect((await client.embeddings.create({ ...asked, dimensions: 9 })).data[0]?.embedding.length).toBe(9);

  const response = await client.responses.create({ model: "m", input: "Say something" });
  expect(response.output_text.length).toBeGreaterThan(0);
  expect((await client.completions.create({ model: "m", prompt: "Once" })).choices.length).toBe(1);
  expect((await client.moderations.create({ input: ["a", "b"] })).results.length).toBe(2);
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["m", "n"]);
  await expect(client.embeddings.create({ model: "other", input: "x" })).rejects.toMatchObject({
    status: 404,
    code: "model_not_found",
  });
});

test.each([
  ["no JSON", "chat/completions", "{", 400],
  ["a stream", "chat/completions", { ...chat, stream: true }, 400],
  ["no model", "chat/completions", { messages: [] }, 400],
  ["an unknown endpoint", "images", {}, 404],
])("%s is refused", async (_, path, body, status) => {
  const { url } = await start();
  const answer = await post(`${url}/${path}`, body);
  expect(answer.status).toBe(status);
  expect(await answer.json()).toHaveProperty("error.message");
});

test("a key is asked for when one is set", async () => {
  const { url } = await start({ apiKey: "secret" });
  expect((await post(`${url}/chat/completions`, chat)).status).toBe(401);
  const answer = await post(`${url}/chat/completions`, chat, { authorization: "Bearer secret" });
  expect(answer.status).toBe(200);
});

test("faults come at the rates that were asked for, and the same for the same seed", async () => {
  const options = { seed: 3, errorRate: 0.2, throttleRate: 0.2, resetRate: 0.1, retryAfterMs: 1_500 };
  const outcomes = async () => {
    const { url, simulator } = await start(options);
    const all: string[] = [];
    for (let i = 0; i < 200; i++) {
      const answer = await post(`${url}/chat/completions`, chat).catch(() => null);
      all.push(answer === null ? "reset" : String(answer.status));
      if (answer?.status === 429) {
        expect(answer.headers.get("retry-after")).toBe("2");
        expect(answer.headers.get("retry-after-ms")).toBe("1500");
      }
      await answer?.text();
    }
    const count = (outcome: string) => all.filter((one) => one === outcome).length;
    expect(simulator.served.requests).toBe(200);
    expect(simulator.served.answers).toEqual({ 200: count("200"), 429: count("429"), 500: count("500") });
    expect(simulator.served.unanswered).toBe(count("reset"));
    for (const [outcome, rate] of [
      ["500", 0.2],
      ["429", 0.2],
      ["reset", 0.1],
    ] as const) {
      expect(count(outcome)).toBeGreaterThan(200 * rate * 0.5);
      expect(count(outcome)).toBeLessThan(200 * rate * 1.6);
    }
    return all;
  };
  expect(await outcomes()).toEqual(await outcomes());
});

test("requests beyond the capacity are refused", async () => {
  const { url, simulator } = await start({ capacity: 1, hangRate: 1 });
  const controller = new AbortController();
  const hanging = fetch(`${url}/chat/completions`, {
    method: "POST",
    body: JSON.stringify(chat),
    signal: controller.signal,
  }).catch(() => "gone");
  await waitUntil(() => simulator.served.requests === 1);
  expect((await post(`${url}/chat/completions`, chat)).status).toBe(429);
  controller.abort();
  expect(await hanging).toBe("gone");
  await waitUntil(() => simulator.served.unanswered === 1);
});

test("requests beyond the capacity wait when told to queue", async () => {
  const { url, simulator } = await start({
    capacity: 2,
    overload: "queue",
    latency: { kind: "fixed", ms: 2 },
  });
  const answers = await Promise.all(Array.from({ length: 10 }, () => post(`${url}/chat/completions`, chat)));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
  expect(simulator.served.peakInFlight).toBe(2);
});

test("the log has a line for every request before its answer is there", async () => {
  const directory = mkdtempSync(join(tmpdir(), "nerif-"));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const log = join(directory, "requests.jsonl");
  const { url } = await start({ log, latency: { kind: "fixed", ms: 1 } });
  const lines = () =>
    readFileSync(log, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  for (let i = 0; i < 5; i++) {
    const body = JSON.stringify({ ...chat, user: `${i}` });
    await post(`${url}/chat/completions`, body, { "idempotency-key": `batch_1:${i}:0` });
    expect(lines()[i]).toEqual({
      time: expect.any(Number),
      path: "/v1/chat/completions",
      body_sha256: hash("sha256", body, "hex"),
      idempotency_key: `batch_1:${i}:0`,
      status: 200,
    });
  }
});

test("the log has a line without a status for a request whose client went away", async () => {
  const directory = mkdtempSync(join(tmpdir(), "nerif-"));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const log = join(directory, "requests.jsonl");
  const { url, simulator } = await start({ log, hangRate: 1 });
  const controller = new AbortController();
  const sent = { method: "POST", body: JSON.stringify(chat), signal: controller.signal };
  const hanging = fetch(`${url}/chat/completions`, sent).catch(() => "gone");
  await waitUntil(() => simulator.served.requests === 1);
  controller.abort();
  await hanging;
  await waitUntil(() => simulator.served.unanswered === 1);
  expect(JSON.parse(readFileSync(log, "utf8"))).toMatchObject({ path: "/v1/chat/completions", status: null });
});

test("a script decides by model, text and room, and each request that it decided about is told", async () => {
  const told: ScriptedCall[] = [];
  const answer = { status: 403, code: "content_filter", message: "No" };
  const { url } = await start({
    script: [
      { slots: 1, latency: { kind: "fixed", ms: 20 } },
      { containing: "forbidden", answer },
      { model: "slow", rate: { perSecond: 1, burst: 1, kind: "bucket" }, retryAfterMs: 2_500 },
    ],
    onScripted: (call) => told.push(call),
  });
  const say = (content: string, model = "m") =>
    post(`${url}/chat/completions`, { ...chat, model, messages: [{ role: "user", content }] });
  const [first, second, refused] = await Promise.all([say("one"), say("two"), say("forbidden")]);
  expect([first?.status, second?.status, refused?.status]).toEqual([200, 200, 403]);
  expect(await refused?.json()).toMatchObject({ error: { code: "content_filter" } });
  const throttled = [await say("a", "slow"), await say("b", "slow")];
  expect(throttled.map(({ status }) => status)).toEqual([200, 429]);
  expect(throttled[1]?.headers.get("retry-after-ms")).toBe("2500");
  await waitUntil(() => told.length === 5);
  expect(told.map(({ status }) => status).sort()).toEqual([200, 200, 200, 403, 429]);
});

test("closing breaks off what hangs", async () => {
  const { url, simulator } = await start({ hangRate: 1 });
  const hanging = post(`${url}/chat/completions`, chat).catch(() => "gone");
  await waitUntil(() => simulator.served.requests === 1);
  await simulator.close();
  expect(await hanging).toBe("gone");
  expect(simulator.served).toMatchObject({ requests: 1, answers: {}, unanswered: 1 });
});

test("a port that is taken and rates that are none are refused", async () => {
  const { url } = await start();
  await expect(createSimulator().listen(Number(new URL(url).port))).rejects.toMatchObject({
    code: "invalid_configuration",
    message: expect.stringContaining("EADDRINUSE"),
  });
  expect(() => createSimulator({ errorRate: 0.6, hangRate: 0.6 })).toThrow("at most 1");
  expect(() => createSimulator({ errorRate: Number.NaN })).toThrow("from 0 to 1");
  await expect(createSimulator({ log: "/nowhere/log" }).listen()).rejects.toMatchObject({
    code: "invalid_configuration",
  });
});

async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
