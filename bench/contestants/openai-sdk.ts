import { createReadStream } from "node:fs";
import { appendFile, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import OpenAI from "openai";
import pMap from "p-map";

/** The script that most people write: the official SDK, p-map and appendFile. A crash loses what it was doing. */
const [input = "", upstream = "", output = "", inFlight = "64"] = process.argv.slice(2);
const client = new OpenAI({ baseURL: upstream, apiKey: "none", maxRetries: 5 });

await rm(output, { force: true });
await pMap(
  createInterface({ input: createReadStream(input) }),
  async (line) => {
    const { custom_id, body } = JSON.parse(line) as {
      custom_id: string;
      body: OpenAI.ChatCompletionCreateParamsNonStreaming;
    };
    const answer = await client.chat.completions.create(body);
    const result = { custom_id, response: { status_code: 200, body: answer }, error: null };
    await appendFile(output, `${JSON.stringify(result)}\n`);
  },
  { concurrency: Number(inFlight) },
);
