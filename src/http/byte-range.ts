/** Which bytes of a file a request wants: all of them, a stretch, or none that there are. */
export type ByteRange =
  | { type: "whole" }
  | { type: "part"; start: number /** Exclusive. */; end: number }
  | { type: "unsatisfiable" };

const whole: ByteRange = { type: "whole" };
const unsatisfiable: ByteRange = { type: "unsatisfiable" };

/** Reads a `Range` header for `size` bytes. Several ranges, other units and nonsense mean the whole file. */
export function byteRange(header: string | null, size: number): ByteRange {
  const [, first, last] = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return whole;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? unsatisfiable : { type: "part", start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  if (last !== "" && Number(last) < start) return whole;
  return start >= size ? unsatisfiable : { type: "part", start, end };
}
