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
  const start = skipSpace(bytes, 0);
  if (bytes[start] !== openBrace) return "invalid";
  const end = scanMembers(bytes, start + 1, scan, topKeys, maxDepth);
  if (end === tooDeep) return "too_deep";
  if (end < 0 || skipSpace(bytes, end) !== bytes.length) return "invalid";
  return "object";
}

const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;

// The functions below return the position after what they skipped, or one of these.
const invalid = -1;
const tooDeep = -2;

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

/** The members of the line's object, or of the body's, from behind the opening brace. */
function scanMembers(bytes: Buffer, from: number, scan: LineScan, keys: KnownKey[], depth: number): number {
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
        ? scanMembers(bytes, valueStart + 1, scan, bodyKeys, depth - 1)
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

export function equalBytes(bytes: Uint8Array, start: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i += 1) if (bytes[start + i] !== expected[i]) return false;
  return true;
}

function skipValue(bytes: Buffer, pos: number, depth: number): number {
  switch (bytes[pos]) {
    case quote:
      return skipString(bytes, pos + 1);
    case openBrace:
      return skipObject(bytes, pos + 1, depth);
    case openBracket:
      return skipArray(bytes, pos + 1, depth);
    case 0x74:
      return skipWord(bytes, pos, words.true);
    case 0x66:
      return skipWord(bytes, pos, words.false);
    case 0x6e:
      return skipWord(bytes, pos, words.null);
    default:
      return skipNumber(bytes, pos);
  }
}

function skipObject(bytes: Buffer, from: number, depth: number): number {
  if (depth === 0) return tooDeep;
  let pos = skipSpace(bytes, from);
  if (bytes[pos] === closeBrace) return pos + 1;
  while (true) {
    if (bytes[pos] !== quote) return invalid;
    pos = skipString(bytes, pos + 1);
    if (pos < 0) return pos;
    pos = skipSpace(bytes, pos);
    if (bytes[pos] !== colon) return invalid;
    pos = skipValue(bytes, skipSpace(bytes, pos + 1), depth - 1);
    if (pos < 0) return pos;
    pos = skipSpace(bytes, pos);
    const next = bytes[pos];
    if (next === closeBrace) return pos + 1;
    if (next !== comma) return invalid;
    pos = skipSpace(bytes, pos + 1);
  }
}

function skipArray(bytes: Buffer, from: number, depth: number): number {
  if (depth === 0) return tooDeep;
  let pos = skipSpace(bytes, from);
  if (bytes[pos] === closeBracket) return pos + 1;
  while (true) {
    pos = skipValue(bytes, pos, depth - 1);
    if (pos < 0) return pos;
    pos = skipSpace(bytes, pos);
    const next = bytes[pos];
    if (next === closeBracket) return pos + 1;
    if (next !== comma) return invalid;
    pos = skipSpace(bytes, pos + 1);
  }
}

/** From behind the opening quote to behind the closing one. */
function skipString(bytes: Buffer, from: number): number {
  const end = bytes.length;
  // Short strings, such as keys, end within these few steps.
  const near = Math.min(from + 16, end);
  let pos = from;
  while (pos < near) {
    const byte = bytes[pos] as number;
    pos += 1;
    if (byte === quote) return pos;
    if (byte === backslash) {
      pos = skipEscape(bytes, pos);
      if (pos < 0) return pos;
    } else if (byte < 0x20) {
      return invalid;
    }
  }
  while (pos < end) {
    pos = skipPlain(bytes, pos);
    const byte = bytes[pos];
    pos += 1;
    if (byte === quote) return pos;
    if (byte !== backslash) return invalid;
    pos = skipEscape(bytes, pos);
    if (pos < 0) return pos;
  }
  return invalid;
}

/** The memory of the last line with a long string, as words; a view costs more than a scan of a short one. */
let words32: DataView = new DataView(new ArrayBuffer(0));

/**
 * To the next quote, backslash or control character, four bytes at a step: twice as fast as byte by byte, and
 * prompts are most of what a file has. `(w - 0x20..) & ~w & 0x80..` is not zero when a byte of `w` is below
 * 0x20; with `w ^ 0x22..` and 0x01.. it finds quotes. The lowest byte found is never a false one.
 */
function skipPlain(bytes: Buffer, from: number): number {
  if (words32.buffer !== bytes.buffer) words32 = new DataView(bytes.buffer);
  const view = words32;
  const base = bytes.byteOffset;
  const end = bytes.length;
  const last = end - 4;
  let pos = from;
  while (pos <= last) {
    const w = view.getInt32(base + pos, true);
    const q = w ^ 0x22222222;
    const b = w ^ 0x5c5c5c5c;
    const found = ((q - 0x01010101) & ~q) | ((b - 0x01010101) & ~b) | ((w - 0x20202020) & ~w);
    if ((found & 0x80808080) !== 0) break;
    pos += 4;
  }
  while (pos < end) {
    const byte = bytes[pos] as number;
    if (byte === quote || byte === backslash || byte < 0x20) break;
    pos += 1;
  }
  return pos;
}

function skipEscape(bytes: Buffer, pos: number): number {
  switch (bytes[pos]) {
    case quote:
    case backslash:
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return pos + 1;
    case 0x75: // u
      for (let i = 1; i <= 4; i += 1) if (!isHexDigit(bytes[pos + i])) return invalid;
      return pos + 5;
    default:
      return invalid;
  }
}

function isHexDigit(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function skipNumber(bytes: Buffer, from: number): number {
  let pos = bytes[from] === 0x2d ? from + 1 : from;
  // No digit may follow a leading zero; whatever does is then no comma and no bracket.
  pos = bytes[pos] === 0x30 ? pos + 1 : skipDigits(bytes, pos);
  if (pos > 0 && bytes[pos] === 0x2e) pos = skipDigits(bytes, pos + 1);
  if (pos > 0 && ((bytes[pos] as number) | 0x20) === 0x65) {
    const sign = bytes[pos + 1];
    pos = skipDigits(bytes, sign === 0x2b || sign === 0x2d ? pos + 2 : pos + 1);
  }
  return pos;
}

/** One digit or more. */
function skipDigits(bytes: Buffer, from: number): number {
  let pos = from;
  while (isDigit(bytes[pos])) pos += 1;
  return pos === from ? invalid : pos;
}

const words = { true: Buffer.from("true"), false: Buffer.from("false"), null: Buffer.from("null") };

function skipWord(bytes: Buffer, pos: number, word: Uint8Array): number {
  return equalBytes(bytes, pos, word) ? pos + word.length : invalid;
}

function skipSpace(bytes: Buffer, from: number): number {
  let pos = from;
  while (pos < bytes.length) {
    const byte = bytes[pos] as number;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
    pos += 1;
  }
  return pos;
}
