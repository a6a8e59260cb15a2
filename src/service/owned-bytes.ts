/**
 * Buffers that belong to whoever has the chunk and to nobody else, as those from a socket or a file do. What others
 * hand over may be part of a pool, or in use elsewhere.
 */
const owned = new WeakSet<ArrayBufferLike>();

/** Gives a chunk away together with its memory, unless that is larger than the chunk. */
export function giveAway(chunk: Uint8Array): void {
  if (chunk.byteLength === chunk.buffer.byteLength) owned.add(chunk.buffer);
}

export function isGivenAway(buffer: ArrayBufferLike): boolean {
  return owned.has(buffer);
}

/**
 * Frees a buffer that was given away, at once: left to the garbage collector, 60 to 100 MB of them pile up under a
 * large upload or download. Every view of it is empty afterwards.
 */
export function free(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer && owned.delete(buffer)) buffer.transfer(0);
}
