import { loadStopIndex } from "./string-stops-wasm.ts";

/**
 * Finds the bytes at which plain text in a JSON string ends: quotes, backslashes and control characters. Prompts are
 * most of what a file has, so nothing else is looked at as many bytes; sixteen of them are compared at a step, in
 * WebAssembly where there is some.
 *
 * There is one text at a time: what reads it is synchronous, and goes forwards only.
 */
export function beginText(bytes: Uint8Array): void {
  text = bytes;
  loadedEnd = 0;
  count = 0;
  next = 0;
  load();
}

/** The first stop at or behind `from`, or a position behind the text's end. `from` never becomes less. */
export function nextStop(from: number): number {
  while (true) {
    // A local one: a variable of the module costs a write to memory at each step.
    let at = next;
    while (at < count) {
      const stop = base + (positions[at] as number);
      if (stop >= from) {
        next = at;
        return stop;
      }
      at += 1;
    }
    next = at;
    if (loadedEnd >= text.length) return text.length;
    load();
  }
}

/** Writes the positions of the stops among the first `length` bytes of `window`; returns how many there are. */
export interface StopIndex {
  window: Uint8Array;
  /** As many as `window` may have stops; they may include some from behind `length`. */
  positions: Int32Array;
  find(length: number): number;
}

/** For where there is no WebAssembly with vectors; tests hold the other one to it. */
export function createPlainStopIndex(windowBytes: number): StopIndex {
  const window = new Uint8Array(windowBytes);
  const positions = new Int32Array(windowBytes);

  return {
    window,
    positions,
    find(length) {
      let found = 0;
      for (let pos = 0; pos < length; pos += 1) {
        const byte = window[pos] as number;
        if (byte === 0x22 || byte === 0x5c || byte < 0x20) positions[found++] = pos;
      }
      return found;
    },
  };
}

let text: Uint8Array = new Uint8Array(0);
/** How far stops are known, and where the window that they lie in begins. */
let loadedEnd = 0;
let base = 0;
let count = 0;
let next = 0;

const windowBytes = 64 * 1024;
const { window, positions, find } = loadStopIndex(windowBytes) ?? createPlainStopIndex(windowBytes);

function load(): void {
  base = loadedEnd;
  loadedEnd = Math.min(base + windowBytes, text.length);
  window.set(base === 0 && loadedEnd === text.length ? text : text.subarray(base, loadedEnd));
  count = find(loadedEnd - base);
  next = 0;
}
