import { createReadStream } from "node:fs";
import { appendFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import OpenAI from "openai";
import pMap from "p-map";

/** The script that most people write: the official SDK, p-map and appendFile. A crash loses what it was doing. */
const [input = "", upstream = "", output = "", inFlight = "64"] = process.argv.slice(2);
const client = new OpenAI({ baseURL: upstream, apiKey: "none", maxRetries: 5 });

await pMap(
  createInterface({ input: createReadStream(input) }),
  async (line) => {
    const { custom_id, url, body } = JSON.parse(line) as { custom_id: string; url: string; body: unknown };
    const answer = await ask(url, body);
    const result = { custom_id, response: { status_code: 200, body: answer }, error: null };
    await appendFile(output, `${JSON.stringify(result)}\n`);
  },
  { concurrency: Number(inFlight) },
);

function ask(url: string, body: unknown): Promise<unknown> {
  if (url === "/v1/embeddings") {
    // Without the format the SDK asks for base64, and Nerif sends what stands in the line.
    return client.embeddings.create({ ...(body as OpenAI.EmbeddingCreateParams), encoding_format: "float" });
  }
  return client.chat.completions.create(body as OpenAI.ChatCompletionCreateParamsNonStreaming);
}
