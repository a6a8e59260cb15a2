import { closeSync, openSync, writeSync } from "node:fs";

export type Kind = "chat" | "embedding";

/** Writes an input file of `lines` requests, each line of exactly `lineBytes` bytes, newline included. */
export function writeInput(path: string, options: { lines: number; lineBytes: number; kind?: Kind }): void {
  const { lines, lineBytes, kind = "chat" } = options;
  const file = openSync(path, "w");
  let chunk = "";
  for (let index = 0; index < lines; index++) {
    const empty = requestLine(index, { kind, content: "" });
    chunk += requestLine(index, { kind, content: filler(lineBytes - empty.length, index) });
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
  const empty = requestLine(0, { kind: "chat", content: "" });
  return JSON.stringify(body("chat", filler(lineBytes - empty.length, 0)));
}

const endpoints = { chat: "/v1/chat/completions", embedding: "/v1/embeddings" };

function requestLine(index: number, { kind, content }: { kind: Kind; content: string }): string {
  const custom_id = `request-${String(index).padStart(8, "0")}`;
  const line = { custom_id, method: "POST", url: endpoints[kind], body: body(kind, content) };
  return `${JSON.stringify(line)}\n`;
}

function body(kind: Kind, content: string): object {
  if (kind === "embedding") return { model: "bench", input: content };
  return { model: "bench", messages: [{ role: "user", content }], max_tokens: 100 };
}

const words =
  "What is the capital of the country whose river runs past the oldest mill that still grinds corn? ";
const text = words.repeat(200);

/** Text that differs a little from line to line. */
function filler(length: number, index: number): string {
  const start = index % words.length;
  return text.slice(start, start + length);
}
