const newline = 0x0a;

/** The same bytes, cut so that each buffer holds one or more whole lines; a missing last newline is added. */
export async function* wholeLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(newline) + 1;
    if (end === 0) {
      if (chunk.length > 0) rest.push(chunk);
      continue;
    }
    const lines = chunk.subarray(0, end);
    yield rest.length === 0 ? lines : Buffer.concat([...rest, lines]);
    rest = end === chunk.length ? [] : [chunk.subarray(end)];
  }
  if (rest.length > 0) yield Buffer.concat([...rest, Buffer.of(newline)]);
}

/** The single lines of a buffer of whole lines, each with its newline. */
export function* eachLine(lines: Buffer): Generator<Buffer> {
  let start = 0;
  while (start < lines.length) {
    const end = lines.indexOf(newline, start) + 1;
    yield lines.subarray(start, end);
    start = end;
  }
}
