import { nextStop } from "./string-stops.ts";

/**
 * Steps over JSON text without reading what it says. Strict: what `JSON.parse` refuses is refused here. The bytes
 * are taken to be valid UTF-8, and to be those that `beginText` was told last.
 */
export const openBrace = 0x7b;
export const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
export const quote = 0x22;
export const backslash = 0x5c;
export const colon = 0x3a;
export const comma = 0x2c;

// The functions below return the position after what they skipped, or one of these.
export const invalid = -1;
export const tooDeep = -2;

export function skipValue(bytes: Buffer, pos: number, depth: number): number {
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
export function skipString(bytes: Buffer, from: number): number {
  let stop = nextStop(from);
  while (bytes[stop] === backslash) {
    const behind = skipEscape(bytes, stop + 1);
    if (behind < 0) return behind;
    stop = nextStop(behind);
  }
  return bytes[stop] === quote ? stop + 1 : invalid;
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

export function skipSpace(bytes: Buffer, from: number): number {
  let pos = from;
  while (pos < bytes.length) {
    const byte = bytes[pos] as number;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
    pos += 1;
  }
  return pos;
}

export function equalBytes(bytes: Uint8Array, start: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i += 1) if (bytes[start + i] !== expected[i]) return false;
  return true;
}
