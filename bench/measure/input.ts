import { closeSync, openSync, writeSync } from "node:fs";

export type Kind = "chat" | "embedding";

/** Writes an input file of `lines` requests, each line of exactly `lineBytes` bytes, newline included. */
export function writeInput(path: string, options: { lines: number; lineBytes: number; kind?: Kind }): void {
  const { lines, lineBytes, kind = "chat" } = options;
  const file = openSync(path, "w");
  let chunk = "";
  for (let index = 0; index < lines; index++) {
    chunk += `${requestLine(index, { kind, bytes: lineBytes - 1 })}\n`;
    if (chunk.length > 1 << 20) {
      writeSync(file, chunk);
      chunk = "";
    }
  }
  writeSync(file, chunk);
  closeSync(file);
}

/** The body of such a line alone. */
export function requestBody(lineBytes: number): string {
  const line = requestLine(0, { kind: "chat", bytes: lineBytes - 1 });
  return JSON.stringify(JSON.parse(line).body);
}

const endpoints = { chat: "/v1/chat/completions", embedding: "/v1/embeddings" };

function requestLine(index: number, { kind, bytes }: { kind: Kind; bytes: number }): string {
  const custom_id = `request-${String(index).padStart(8, "0")}`;
  const lineOf = (content: string) =>
    JSON.stringify({ custom_id, method: "POST", url: endpoints[kind], body: body(kind, content) });
  const room = bytes - lineOf("").length;
  const prompt = prompts[index % prompts.length] ?? "";
  // What is escaped or not ASCII takes more bytes than characters: too much is cut off, and the rest filled up.
  const over = Buffer.byteLength(lineOf(prompt.slice(0, room))) - bytes;
  const cut = prompt.slice(0, room - over);
  return lineOf(cut + ".".repeat(bytes - Buffer.byteLength(lineOf(cut))));
}

function body(kind: Kind, content: string): object {
  if (kind === "embedding") return { model: "bench", input: content };
  return { model: "bench", messages: [{ role: "user", content }], max_tokens: 100 };
}

const sentences = [
  'Answer in one word: which river runs past the oldest mill that still grinds corn, and who "owns" it?\n',
  "Write the reasons down as a list, one on each line, and then say how sure you are, from 0 to 10.\n",
  "What does the following text say about the harvest, the weather and the price of bread in that year?\n",
];
const foreign = "Réponds en français – « en une phrase », s’il te plaît – et cite la source à la fin.\n";

/** Prompts as people write them: with line breaks and quotes, one in four not in ASCII alone. */
const prompts = Array.from({ length: 64 }, (_, index) => {
  const first = index % 4 === 0 ? foreign : "";
  return first + (sentences[index % sentences.length] + sentences.join("")).repeat(20).slice(index);
});
