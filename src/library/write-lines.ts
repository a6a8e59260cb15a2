import { NerifError } from "../batch/errors.ts";
import type { StagedFile } from "../service/stage-file.ts";
import type { Items } from "./types.ts";

/** Bytes that are gathered before they go to the file. */
const writeBytes = 256 * 1024;
const newline = Buffer.from("\n");

/**
 * Writes items as JSON lines, each as it comes: however many there are, no more than a few are in memory.
 *
 * @param check sees the bytes of each line, without its newline, and throws to refuse it
 * @returns how many there were
 * @throws NerifError `invalid_type` when `items` cannot be walked through or one is not a JSON object
 */
export async function writeLines<T>(
  items: Items<T>,
  staged: StagedFile,
  { what, check }: { what: string; check?: (line: Buffer, index: number) => void },
): Promise<number> {
  assertIterable(items, what);
  let pending: Buffer[] = [];
  let bytes = 0;
  let index = 0;
  for await (const item of items) {
    const line = lineOf(item, { what, index });
    check?.(line, index);
    pending.push(line, newline);
    bytes += line.length + 1;
    index += 1;
    if (bytes < writeBytes) continue;
    await staged.write(pending);
    pending = [];
    bytes = 0;
  }
  if (bytes > 0) await staged.write(pending);
  return index;
}

function assertIterable(items: unknown, what: string): void {
  const isIterable =
    typeof items === "object" &&
    items !== null &&
    (Symbol.iterator in items || Symbol.asyncIterator in items);
  if (isIterable) return;
  const reason = "they must be an array, an iterable or an async iterable";
  throw new NerifError("invalid_type", `Cannot write the ${what}s: ${reason}`, { param: `${what}s` });
}

function lineOf(item: unknown, { what, index }: { what: string; index: number }): Buffer {
  const refuse = (reason: string, cause?: unknown) =>
    new NerifError("invalid_type", `Cannot write ${what} ${index}: ${reason}`, {
      param: `${what}s[${index}]`,
      cause,
    });
  if (typeof item !== "object" || item === null || Array.isArray(item)) throw refuse("it is not an object");
  try {
    return Buffer.from(JSON.stringify(item));
  } catch (cause) {
    // A cycle, a BigInt, a toJSON that throws.
    throw refuse("it cannot be turned into JSON", cause);
  }
}
