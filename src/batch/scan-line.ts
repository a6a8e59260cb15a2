import {
  backslash,
  closeBrace,
  colon,
  comma,
  equalBytes,
  invalid,
  openBrace,
  quote,
  skipSpace,
  skipString,
  skipValue,
  tooDeep,
} from "./skip-json.ts";
import { beginText } from "./string-stops.ts";

/**
 * Finds, in the bytes of one input line, where the values stand that Nerif needs, without building objects from
 * them: bodies go to the upstream byte for byte, and a line of ten million is checked at the price of one pass.
 *
 * It accepts exactly the objects that `JSON.parse` accepts, up to a depth; a property test holds it to that. It
 * takes the bytes to be valid UTF-8.
 */
export const lineKeys = ["custom_id", "method", "url", "body", "body.model", "body.stream"] as const;

export type LineKey = (typeof lineKeys)[number];

/** Positions in `LineScan`, in the order of `lineKeys`. */
export const at = { customId: 0, method: 1, url: 2, body: 3, model: 4, stream: 5 } as const;

/** What a scan found. One object serves any number of scans, so that a line costs no allocation. */
export interface LineScan {
  /** Where the value of each key begins, in bytes from the start of the line; -1 where there is none. */
  readonly starts: Int32Array;
  /** Where it ends. */
  readonly ends: Int32Array;
  /** 1 for each key that is there more than once; the first one is the one that was found. */
  readonly repeated: Uint8Array;
  anyRepeated: boolean;
}

export function newLineScan(): LineScan {
  const size = lineKeys.length;
  const [starts, ends] = [new Int32Array(size), new Int32Array(size)];
  return { starts, ends, repeated: new Uint8Array(size), anyRepeated: false };
}

/** `invalid`: no JSON object. `too_deep`: a JSON text up to where it is nested deeper than allowed. */
export type ScanVerdict = "object" | "invalid" | "too_deep";

/**
 * @param maxDepth how deep arrays and objects may be nested, the line's own object counted
 */
export function scanLine(bytes: Buffer, scan: LineScan, { maxDepth }: { maxDepth: number }): ScanVerdict {
  for (let key = 0; key < lineKeys.length; key += 1) {
    scan.starts[key] = -1;
    scan.ends[key] = -1;
    scan.repeated[key] = 0;
  }
  scan.anyRepeated = false;
  beginText(bytes);
  const start = skipSpace(bytes, 0);
  if (bytes[start] !== openBrace) return "invalid";
  const end = scanMembers(bytes, start + 1, { scan, keys: topKeys, depth: maxDepth });
  if (end === tooDeep) return "too_deep";
  if (end < 0 || skipSpace(bytes, end) !== bytes.length) return "invalid";
  return "object";
}

interface KnownKey {
  index: number;
  name: string;
  /** The name and the quote behind it. */
  bytes: Uint8Array;
}

const topKeys = [at.customId, at.method, at.url, at.body].map(knownKey);
const bodyKeys = [at.model, at.stream].map(knownKey);

function knownKey(index: number): KnownKey {
  const name = (lineKeys[index] as LineKey).replace("body.", "");
  return { index, name, bytes: Buffer.from(`${name}"`) };
}

interface MemberScan {
  scan: LineScan;
  keys: KnownKey[];
  /** Levels that may still be opened. */
  depth: number;
}

/** The members of the line's object, or of the body's, from behind the opening brace. */
function scanMembers(bytes: Buffer, from: number, { scan, keys, depth }: MemberScan): number {
  if (depth === 0) return tooDeep;
  let pos = skipSpace(bytes, from);
  if (bytes[pos] === closeBrace) return pos + 1;
  while (true) {
    if (bytes[pos] !== quote) return invalid;
    const keyStart = pos + 1;
    let key = plainKey(bytes, keyStart, keys);
    if (key === null) {
      pos = skipString(bytes, keyStart);
      if (pos < 0) return pos;
      key = escapedKey(bytes, { start: keyStart, end: pos - 1 }, keys);
    } else {
      pos = keyStart + key.bytes.length;
    }
    const index = key === null ? -1 : key.index;
    pos = skipSpace(bytes, pos);
    if (bytes[pos] !== colon) return invalid;
    const valueStart = skipSpace(bytes, pos + 1);
    const first = index !== -1 && scan.starts[index] === -1;
    // Only the first body is looked into: a second one is refused, and its keys repeat nothing.
    pos =
      first && index === at.body && bytes[valueStart] === openBrace
        ? scanMembers(bytes, valueStart + 1, { scan, keys: bodyKeys, depth: depth - 1 })
        : skipValue(bytes, valueStart, depth - 1);
    if (pos < 0) return pos;
    if (first) {
      scan.starts[index] = valueStart;
      scan.ends[index] = pos;
    } else if (index !== -1) {
      scan.repeated[index] = 1;
      scan.anyRepeated = true;
    }
    pos = skipSpace(bytes, pos);
    const next = bytes[pos];
    if (next === closeBrace) return pos + 1;
    if (next !== comma) return invalid;
    pos = skipSpace(bytes, pos + 1);
  }
}

/** Which of `keys` stands there as most files have it, without escapes. */
function plainKey(bytes: Buffer, start: number, keys: KnownKey[]): KnownKey | null {
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i] as KnownKey;
    if (bytes[start] === key.bytes[0] && equalBytes(bytes, start, key.bytes)) return key;
  }
  return null;
}

/** Which of `keys` stands there with escapes in it. */
function escapedKey(bytes: Buffer, { start, end }: { start: number; end: number }, keys: KnownKey[]) {
  // An escape takes up to six bytes for one letter; a longer key is none of these.
  if (end - start > 6 * longestKey) return null;
  for (let pos = start; pos < end; pos += 1) {
    if (bytes[pos] !== backslash) continue;
    const name: unknown = JSON.parse(bytes.toString("utf8", start - 1, end + 1));
    return keys.find((key) => key.name === name) ?? null;
  }
  return null;
}

const longestKey = Math.max(...lineKeys.map((key) => key.length));
