import { NerifError } from "../batch/errors.ts";

/**
 * Parses JSON lines. Blank lines are left out but counted, a byte order mark is skipped.
 *
 * @param name how messages call the file
 * @throws NerifError `invalid_json_line` for the first line that is not a JSON object, with its number from 1
 */
export async function readLines(
  chunks: AsyncIterable<Buffer>,
  name: string,
): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  let number = 0;
  for await (const line of splitLines(chunks)) {
    number += 1;
    const value = parse(line, { name, number });
    if (value !== null) lines.push(value);
  }
  return lines;
}

async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      const part = chunk.subarray(start, end);
      yield rest.length === 0 ? part : Buffer.concat([...rest, part]);
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  if (rest.length > 0) yield Buffer.concat(rest);
}

/** Null for a blank line. */
function parse(
  line: Buffer,
  { name, number }: { name: string; number: number },
): Record<string, unknown> | null {
  const refuse = (reason: string, cause?: unknown) =>
    new NerifError("invalid_json_line", `Cannot read ${name}: line ${number} ${reason}`, {
      param: `line ${number}`,
      cause,
    });
  let value: unknown;
  try {
    // Drops a byte order mark, and refuses bytes that are not UTF-8.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(line);
    if (/^[ \t\r]*$/.test(text)) return null;
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse("is not valid JSON", cause);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw refuse("is not a JSON object");
}
