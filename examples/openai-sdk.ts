// The official OpenAI client, unchanged, with `nerif serve` in OpenAI's place.
//
//   nerif serve --upstream http://localhost:8000/v1
//   npx node examples/openai-sdk.ts            (OPENAI_BASE_URL when the server is not on port 8787 of this machine)
import { setTimeout } from "node:timers/promises";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({
  baseURL: process.env.OPENAI_BASE_URL ?? "http://127.0.0.1:8787/v1",
  apiKey: process.env.OPENAI_API_KEY ?? "none",
});

const lines = ["France", "Italy", "Norway"].map((country) =>
  JSON.stringify({
    custom_id: country,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "gpt-4o", messages: [{ role: "user", content: `What is the capital of ${country}?` }] },
  }),
);
const file = await client.files.create({
  file: await toFile(Buffer.from(`${lines.join("\n")}\n`), "capitals.jsonl"),
  purpose: "batch",
});

let batch = await client.batches.create({
  input_file_id: file.id,
  endpoint: "/v1/chat/completions",
  completion_window: "24h",
});
while (!["completed", "failed", "expired", "cancelled"].includes(batch.status)) {
  await setTimeout(200);
  batch = await client.batches.retrieve(batch.id);
}
console.log(batch.status, batch.request_counts);

for (const fileId of [batch.output_file_id, batch.error_file_id]) {
  if (fileId) console.log(await (await client.files.content(fileId)).text());
}
