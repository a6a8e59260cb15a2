// Two requests to two endpoints in one batch, from the file to the results.
//
//   NERIF_UPSTREAM=http://localhost:8000/v1 npx node examples/quick-start.ts
import { setTimeout } from "node:timers/promises";
import { Batch, BatchFile } from "nerif";

// 1. Create a batch input file
const requests = [
  {
    custom_id: "request-1",
    method: "POST",
    url: "/v1/chat/completions",
    body: {
      model: "gpt-4o",
      messages: [{ role: "user", content: "What is the capital of France?" }],
      max_tokens: 100,
    },
  },
  {
    custom_id: "request-2",
    method: "POST",
    url: "/v1/embeddings",
    body: { model: "text-embedding-3-small", input: "Hello world" },
  },
];
const batchFile = new BatchFile();
const inputFile = await batchFile.createBatchFile(requests);
console.log(`Created input file: ${inputFile.id}`);

// 2. Create a batch job
let batch = await Batch.create({
  input_file_id: inputFile.id,
  endpoint: "/v1/chat/completions",
  completion_window: "24h",
  metadata: { description: "My batch job" },
});
console.log(`Created batch: ${batch.id}`);

// 3. Monitor its progress
while (!["completed", "failed", "expired", "cancelled"].includes(batch.status)) {
  await setTimeout(200);
  batch = await Batch.retrieve(batch.id);
}
console.log(`Status: ${batch.status}`);
console.log(`Completed: ${batch.request_counts.completed}`);
console.log(`Failed: ${batch.request_counts.failed}`);

// 4. Get the results
for (const fileId of [batch.output_file_id, batch.error_file_id]) {
  if (fileId === null) continue;
  for (const line of await batchFile.readBatchFile(fileId)) console.log(JSON.stringify(line).slice(0, 200));
}
