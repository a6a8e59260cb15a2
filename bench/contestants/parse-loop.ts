import { createReadStream } from "node:fs";

/** The floor of validation: a file split into lines, and `JSON.parse` of each. Nothing is looked at, no id is remembered. */
const [input = ""] = process.argv.slice(2);
let rest: Buffer = Buffer.alloc(0);
let lines = 0;

for await (const chunk of createReadStream(input, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
  const bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
  let from = 0;
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, from)) {
    JSON.parse(bytes.toString("utf8", from, end));
    lines += 1;
    from = end + 1;
  }
  rest = bytes.subarray(from);
}
console.log(lines);
