import { closeSync, openSync, writeSync } from "node:fs";

/** Writes an input file of `lines` chat requests, each line of exactly `lineBytes` bytes, newline included. */
export function writeInput(path: string, options: { lines: number; lineBytes: number }): void {
  const file = openSync(path, "w");
  let chunk = "";
  for (let index = 0; index < options.lines; index++) {
    const empty = requestLine(index, "");
    chunk += requestLine(index, filler(options.lineBytes - empty.length, index));
    if (chunk.length > 1 << 20) {
      writeSync(file, chunk);
      chunk = "";
    }
  }
  writeSync(file, chunk);
  closeSync(file);
}

function requestLine(index: number, content: string): string {
  const body = { model: "bench", messages: [{ role: "user", content }], max_tokens: 100 };
  const custom_id = `request-${String(index).padStart(8, "0")}`;
  return `${JSON.stringify({ custom_id, method: "POST", url: "/v1/chat/completions", body })}\n`;
}

const words =
  "What is the capital of the country whose river runs past the oldest mill that still grinds corn? ";
const text = words.repeat(200);

/** Text that differs a little from line to line. */
function filler(length: number, index: number): string {
  const start = index % words.length;
  return text.slice(start, start + length);
}
