import { backslash, closeBrace, quote, skipSpace, skipString, skipValue } from "./skip-json.ts";
import { beginText } from "./string-stops.ts";

const name = Buffer.from('"temperature"');
const zero = /^-?0(\.0*)?([eE][+-]?\d+)?$/;
/** Levels that a body may nest; it was checked before. */
const anyDepth = 1_000;

/**
 * Whether the object between two positions of a checked line has `temperature: 0`, in whatever way that number is
 * written. False where anything is in doubt: the key is there twice, or a key is written with escapes.
 */
export function isTemperatureZero(line: Buffer, start: number, end: number): boolean {
  const body = line.subarray(start, end);
  if (!body.includes(name)) return false;
  beginText(body);
  let found = false;
  // Behind the opening brace, then behind each comma.
  for (let pos = skipSpace(body, 1); body[pos] === quote; ) {
    const behindKey = skipString(body, pos + 1);
    if (behindKey < 0 || body.subarray(pos, behindKey).includes(backslash)) return false;
    const isName = body.subarray(pos, behindKey).equals(name);
    const value = skipSpace(body, skipSpace(body, behindKey) + 1);
    const behindValue = skipValue(body, value, anyDepth);
    if (behindValue < 0) return false;
    if (isName) {
      if (found || !zero.test(body.toString("latin1", value, behindValue))) return false;
      found = true;
    }
    const next = skipSpace(body, behindValue);
    if (body[next] === closeBrace) return found;
    pos = skipSpace(body, next + 1);
  }
  return false;
}
