import { NerifError } from "../batch/errors.ts";
import { lineId } from "../batch/ids.ts";

const prefix = '{"id":"';

/**
 * The index of the request that a line of a result file answers, which the last eight digits of its id tell.
 *
 * @throws NerifError `data_damaged` when the line is not one that this batch can have
 */
export function resultIndex(batchId: string, line: Buffer): number {
  const id = line.toString("latin1", prefix.length, prefix.length + lineId(batchId, 0).length);
  const index = Number.parseInt(id.slice(-8), 16);
  if (id === lineId(batchId, index)) return index;
  throw new NerifError(
    "data_damaged",
    `Cannot read the results of batch ${batchId}: a line of a result file has a foreign id`,
  );
}

/** A set of line indexes at one bit each, so that a million lines cost 125 kB. */
export interface LineSet {
  has(line: number): boolean;
  add(line: number): void;
}

export function createLineSet(): LineSet {
  let bits = new Uint8Array(1_024);
  return {
    has: (line) => ((bits[line >> 3] ?? 0) & (1 << (line & 7))) !== 0,
    add(line) {
      const at = line >> 3;
      if (at >= bits.length) {
        const larger = new Uint8Array(Math.max(at + 1, bits.length * 2));
        larger.set(bits);
        bits = larger;
      }
      bits[at] = (bits[at] ?? 0) | (1 << (line & 7));
    },
  };
}
