// One request per text file, in one batch; the process ends when every summary is there.
//
//   NERIF_UPSTREAM=http://localhost:8000/v1 npx node examples/summarize-files.ts [FILE...]
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { createNerif } from "nerif";

const shipped = ["file1.txt", "file2.txt", "file3.txt"].map((name) =>
  join(import.meta.dirname, "texts", name),
);
const texts = process.argv.length > 2 ? process.argv.slice(2) : shipped;

// Each file is read when its line is written, so there may be any number of them.
async function* requests() {
  for (const [index, filename] of texts.entries()) {
    yield {
      custom_id: `summarize-${index}`,
      method: "POST",
      url: "/v1/chat/completions",
      body: {
        model: "gpt-4o",
        messages: [
          { role: "system", content: "Summarize the following text" },
          { role: "user", content: await readFile(filename, "utf8") },
        ],
        max_tokens: 200,
      },
    };
  }
}

await using nerif = createNerif();
const inputFile = await nerif.files.createBatchFile(requests());
const batch = await nerif.batches.create({ input_file_id: inputFile.id, endpoint: "/v1/chat/completions" });
console.log(`Processing ${texts.length} files in batch ${batch.id}`);

// Results come as they are done; `custom_id` says which file one belongs to.
for await (const { custom_id, response, error } of nerif.batches.results(batch.id)) {
  const filename = texts[Number(custom_id.slice("summarize-".length))] ?? custom_id;
  const answer = response?.body as { choices?: { message: { content: string } }[] } | null | undefined;
  console.log(`${basename(filename)}: ${error?.message ?? answer?.choices?.[0]?.message.content}`);
}
