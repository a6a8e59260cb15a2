import OpenAI, { toFile } from "openai";
import { requestLines } from "./engine.ts";

/** The official client of a server without keys. */
export function clientOf(url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: "none" });
}

/** Uploads so many lines and makes a batch of them. @returns its id */
export async function createBatch(url: string, lines: number): Promise<string> {
  const client = clientOf(url);
  const file = await client.files.create({
    file: await toFile(Buffer.from(requestLines(lines)), "in.jsonl"),
    purpose: "batch",
  });
  const batch = await client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  });
  return batch.id;
}
