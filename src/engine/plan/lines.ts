export interface LineHandlers {
  /**
   * A line that is not blank, without its newline. `bytes` are only valid during the call, `offset` is where
   * they begin in the file, `physicalLine` counts every line from 1. Reading ends when it returns false.
   */
  onLine(bytes: Buffer, offset: number, physicalLine: number): unknown;
  /**
   * A line longer than `maxLineBytes`, with its length up to the newline; its bytes were never kept. Reading ends
   * when it returns false.
   */
  onTooLong(offset: number, length: number, physicalLine: number): unknown;
  /** Called after the lines of each chunk; nothing more is read before it is through. */
  afterChunk?(): Promise<void> | void;
  /** Longest line in bytes, its newline not counted. */
  maxLineBytes: number;
  /** Where `source` begins in the file, in bytes. Default 0. */
  start?: number;
}

/**
 * Splits a file into lines. LF and CRLF end a line, a last line needs neither; a UTF-8 BOM at the start of the
 * file is no part of the first line; lines of white space are counted and otherwise passed over.
 * A line is cut off as soon as it is too long, so that memory stays flat whatever a file holds.
 */
export async function forEachLine(source: AsyncIterable<Buffer>, handlers: LineHandlers): Promise<void> {
  const splitter = createSplitter(handlers);
  for await (const chunk of source) {
    const goOn = splitter.push(chunk);
    await handlers.afterChunk?.();
    if (!goOn) return;
  }
  splitter.end();
  await handlers.afterChunk?.();
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const bom = Buffer.from([0xef, 0xbb, 0xbf]);

interface Splitter {
  /** False when a handler has seen enough. */
  push(chunk: Buffer): boolean;
  end(): void;
}

function createSplitter(handlers: LineHandlers): Splitter {
  const { maxLineBytes } = handlers;
  // What may come before a newline: a BOM, the longest line and a carriage return.
  const allowance = bom.length + maxLineBytes + 1;
  // The beginning of a line whose end is in a later chunk; no bytes are kept of one that is too long already.
  let carried: Buffer[] = [];
  let carriedBytes = 0;
  let lineOffset = handlers.start ?? 0;
  let physicalLine = 1;

  return {
    push(chunk) {
      let from = 0;
      for (;;) {
        const end = chunk.indexOf(lineFeed, from);
        // Within the loop: V8 would throw compiled code away each time it came to what stands behind a hot one.
        if (end === -1) return carry(chunk.subarray(from));
        if (!finishLine(chunk.subarray(from, end))) return false;
        from = end + 1;
      }
    },
    end() {
      if (carriedBytes > 0) finishLine(Buffer.alloc(0));
    },
  };

  function carry(rest: Buffer): true {
    carriedBytes += rest.length;
    if (carriedBytes > allowance) carried = [];
    // A copy: a chunk is only there during this call.
    else if (rest.length > 0) carried.push(Buffer.from(rest));
    return true;
  }

  function finishLine(rest: Buffer): boolean {
    const offset = lineOffset;
    const length = carriedBytes + rest.length;
    const pieces = carried;
    lineOffset += length + 1;
    physicalLine += 1;
    if (carriedBytes > 0) {
      carried = [];
      carriedBytes = 0;
    }
    if (length > allowance) return handlers.onTooLong(offset, length, physicalLine - 1) !== false;
    return deliver(length === rest.length ? rest : Buffer.concat([...pieces, rest], length), offset);
  }

  function deliver(raw: Buffer, offset: number): boolean {
    const start = offset === 0 && raw.subarray(0, bom.length).equals(bom) ? bom.length : 0;
    const end = raw[raw.length - 1] === carriageReturn ? raw.length - 1 : raw.length;
    const number = physicalLine - 1;
    if (end - start > maxLineBytes) return handlers.onTooLong(offset + start, end - start, number) !== false;
    if (isBlank(raw, start, end)) return true;
    const whole = start === 0 && end === raw.length;
    return handlers.onLine(whole ? raw : raw.subarray(start, end), offset + start, number) !== false;
  }
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i];
    if (byte !== 0x20 && byte !== 0x09 && byte !== carriageReturn) return false;
  }
  return true;
}
