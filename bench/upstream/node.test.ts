import { expect, it, onTestFinished } from "vitest";
import { answers } from "./answers.ts";
import { listen } from "./node.ts";
import { startWitness } from "./witness.ts";

const post = (url: string, body = "{}") =>
  fetch(url, { method: "POST", body }).then((answer) => answer.text());

it("a stand-in for nginx answers by endpoint, whatever the size of the request", async () => {
  const { origin, close } = await listen();
  onTestFinished(close);
  expect(await post(`${origin}/0/v1/chat/completions`)).toBe(answers.chat);
  expect(await post(`${origin}/1/v1/embeddings`, "x".repeat(1_000_000))).toBe(answers.embedding);
  expect(await post(`${origin}/0/v1/chat/completions`)).toBe(answers.chat);
});

it("a witness tells when a number of calls more has come in", async () => {
  const witness = await startWitness();
  onTestFinished(witness.close);
  await post(`${witness.url}/chat/completions`);
  const second = witness.more(2);
  const begin = performance.now();
  await Promise.all([post(`${witness.url}/embeddings`), post(`${witness.url}/embeddings`)]);
  expect(await second).toBeGreaterThan(begin);
  expect(witness.calls).toBe(3);
});

it("answers have the sizes that the pages speak of", () => {
  expect(Buffer.byteLength(answers.chat)).toBe(664);
  expect(Buffer.byteLength(answers.embedding)).toBeGreaterThan(32_000);
  expect(answers.embedding.split("\n").length).toBeGreaterThan(1_536);
});
