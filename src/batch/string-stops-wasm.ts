import type { StopIndex } from "./string-stops.ts";

/** The index of stops in WebAssembly; null where that is missing, or its vectors are. */
export function loadStopIndex(windowBytes: number): StopIndex | null {
  const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
  if (WebAssembly === undefined || !isLittleEndian) return null;
  try {
    const module = new WebAssembly.Module(moduleOf(windowBytes));
    const { memory, find } = new WebAssembly.Instance(module).exports;
    return {
      window: new Uint8Array(memory.buffer, 0, windowBytes),
      positions: new Int32Array(memory.buffer, windowBytes, windowBytes),
      find: (length) => (find(length, windowBytes) - windowBytes) / positionBytes,
    };
  } catch {
    // Some systems forbid code that is made at run time, and some processors have no vectors.
    return null;
  }
}

/** What is used of it; Node's types leave it to those of browsers. */
interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
  ) => {
    exports: { memory: { buffer: ArrayBuffer }; find(end: number, out: number): number };
  };
}

const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyApi };

const positionBytes = 4;
const pageBytes = 64 * 1024;

/** In memory lies the window, then the positions of its stops. */
function moduleOf(windowBytes: number): Uint8Array {
  const pages = Math.ceil((windowBytes * (1 + positionBytes)) / pageBytes);
  const code = [...locals, ...findStops, opcode.end];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [0x60, 2, type.i32, type.i32, 1, type.i32]),
    ...section(3, [0]),
    ...section(5, [0, pages]),
    ...[7, 17, 2, ...name("memory"), 2, 0, ...name("find"), 0, 0],
    ...section(10, [code.length, ...code]),
  ]);
}

/** A section with one entry. All sizes in here are below 128, and so take one byte. */
function section(id: number, entry: number[]): number[] {
  return [id, entry.length + 1, 1, ...entry];
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)];
}

const type = { i32: 0x7f, v128: 0x7b, none: 0x40 };
const opcode = {
  ...{ loop: 0x03, if: 0x04, end: 0x0b, branchIf: 0x0d, get: 0x20, set: 0x21, tee: 0x22 },
  ...{ store: 0x36, constant: 0x41, lessThan: 0x49, ctz: 0x68, add: 0x6a, subtract: 0x6b, and: 0x71 },
};
/** Of sixteen bytes at once. */
const vector = {
  ...{ load: [0xfd, 0x00], splat: [0xfd, 0x0f], equal: [0xfd, 0x23] },
  ...{ lessThan: [0xfd, 0x26], or: [0xfd, 0x50], topBits: [0xfd, 0x64] },
};

const [end, out, pos, mask, v] = [0, 1, 2, 3, 4];
const locals = [2, 2, type.i32, 1, type.v128];

/**
 *     do {
 *       v = the 16 bytes at pos
 *       mask = a bit for each byte of v that is a stop
 *       if (mask) do { *out = pos + ctz(mask); out += 4; mask &= mask - 1 } while (mask)
 *       pos += 16
 *     } while (pos < end)
 *     return out
 */
const findStops = [
  ...[opcode.loop, type.none],
  ...[opcode.get, pos, ...vector.load, 0, 0, opcode.set, v],
  ...[opcode.get, v, ...bytesOf(0x22), ...vector.equal],
  ...[opcode.get, v, ...bytesOf(0x5c), ...vector.equal, ...vector.or],
  ...[opcode.get, v, ...bytesOf(0x20), ...vector.lessThan, ...vector.or],
  ...[...vector.topBits, opcode.tee, mask],
  ...[opcode.if, type.none, opcode.loop, type.none],
  ...[opcode.get, out, opcode.get, pos, opcode.get, mask, opcode.ctz, opcode.add, opcode.store, 2, 0],
  ...[opcode.get, out, ...number(positionBytes), opcode.add, opcode.set, out],
  ...[opcode.get, mask, opcode.get, mask, ...number(1), opcode.subtract, opcode.and],
  ...[opcode.tee, mask, opcode.branchIf, 0, opcode.end, opcode.end],
  ...[opcode.get, pos, ...number(16), opcode.add, opcode.tee, pos],
  ...[opcode.get, end, opcode.lessThan, opcode.branchIf, 0, opcode.end],
  ...[opcode.get, out],
];

/** Sixteen times the same byte. */
function bytesOf(byte: number): number[] {
  return [...number(byte), ...vector.splat];
}

/** A constant below 128; as a signed LEB128 number it takes a second byte from 64 on. */
function number(value: number): number[] {
  return [opcode.constant, ...(value < 64 ? [value] : [value | 0x80, 0])];
}
