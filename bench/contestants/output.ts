import { createReadStream } from "node:fs";

/** @throws when a file of results does not hold as many lines as there were requests */
export async function expectLines(path: string, lines: number): Promise<void> {
  let found = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) found += 1;
  }
  if (found !== lines) throw new Error(`There are ${found} results to ${lines} requests`);
}
