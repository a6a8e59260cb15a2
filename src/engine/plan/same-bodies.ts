import { randomBytes } from "node:crypto";
import type { Endpoint } from "../../batch/limits.ts";
import type { RequestLine } from "../../batch/request-line.ts";
import { isTemperatureZero } from "../../batch/temperature.ts";
import type { FileReader } from "../../files/file-store.ts";
import type { ByteRange } from "./half-siphash.ts";
import { createIdSet, type IdSet } from "./id-set.ts";
import { createOffsets } from "./offsets.ts";
import type { PlannedLine } from "./plan.ts";

/** Bodies that lie close together are read at once, up to so many bytes. */
const readBytes = 256 * 1024;
const gapBytes = 32 * 1024;

/** Whether equal requests have equal answers: only then may one answer stand for several lines. */
export function mayShareAnswer({ endpoint, bodyStart, bodyEnd }: RequestLine, line: Buffer): boolean {
  return endpoint === "/v1/embeddings" || isTemperatureZero(line, bodyStart, bodyEnd);
}

/** A line whose body hashes like that of earlier ones. Its bytes are its own. */
export interface Doubt {
  planned: PlannedLine;
  /** Earlier lines with the same hash and endpoint. */
  candidates: number[];
}

/**
 * Finds lines that ask for the same: same endpoint, same bytes of the body. It keeps a hash and a position for each
 * body and never the body; where a hash hits, the bytes of the file decide.
 */
export interface SameBodies {
  /** Takes the next line. Lines with its hash; null when it is the first with that hash, or shares no answer. */
  add(planned: PlannedLine): number[] | null;
  /** For each doubt, all of them later than any line before, the first line of the file with its body, or null. */
  settle(doubts: readonly Doubt[]): Promise<(number | null)[]>;
}

export interface SameBodiesOptions {
  input: FileReader;
  /** Makes an empty set, one for each endpoint. Default: one that is keyed with random bytes. */
  newSet?: (() => IdSet) | undefined;
}

/** What it finds does not depend on the hash: the same file always has the same followers. */
export function createSameBodies({
  input,
  newSet = () => createIdSet(randomBytes(8)),
}: SameBodiesOptions): SameBodies {
  const sets = new Map<Endpoint, IdSet>();
  const offsets = createOffsets();

  function setOf({ endpoint }: RequestLine): IdSet {
    let set = sets.get(endpoint);
    if (set === undefined) {
      set = newSet();
      sets.set(endpoint, set);
    }
    return set;
  }

  function note({ line, offset, request }: PlannedLine): void {
    offsets.set(line, offset + request.bodyStart);
  }

  /** Compares many at a time, in the order in which the candidates lie in the file. */
  async function compareAll(doubts: readonly Doubt[]): Promise<(number | null)[]> {
    const found: (number | null)[] = doubts.map(() => null);
    const pairs = doubts
      .flatMap(({ planned, candidates }, doubt) =>
        candidates.map((line) => ({ doubt, line, at: offsets.get(line), body: bodyOf(planned) })),
      )
      .sort((a, b) => a.at - b.at);
    for (let from = 0; from < pairs.length; ) {
      const start = pairs[from]?.at ?? 0;
      let end = start;
      let until = from;
      for (; until < pairs.length; until += 1) {
        const { at, body } = pairs[until] as (typeof pairs)[number];
        const isNear = at - end <= gapBytes && at + body.length - start <= readBytes;
        if (until > from && !isNear) break;
        end = Math.max(end, at + body.length);
      }
      const bytes = await input.read(start, end - start);
      for (const { doubt, line, at, body } of pairs.slice(from, until)) {
        // A whole JSON object is never the beginning of a longer one, so the other body ends where this one does.
        if (bytes.subarray(at - start, at - start + body.length).equals(body)) found[doubt] = line;
      }
      from = until;
    }
    return found;
  }

  /** Its hash was that of another body. Lines behind it may have this very body: one after another. */
  async function settleAlone({ planned, candidates }: Doubt): Promise<number | null> {
    const body = bodyOf(planned);
    const set = setOf(planned.request);
    for (const line of set.linesOf(rangeOf(planned))) {
      if (candidates.includes(line)) continue;
      if ((await input.read(offsets.get(line), body.length)).equals(body)) return line;
    }
    set.addBeside(rangeOf(planned), planned.line);
    note(planned);
    return null;
  }

  return {
    add(planned) {
      if (!mayShareAnswer(planned.request, planned.bytes)) return null;
      const set = setOf(planned.request);
      if (!set.add(rangeOf(planned), planned.line)) return set.linesOf(rangeOf(planned));
      note(planned);
      return null;
    },
    async settle(doubts) {
      const leaders = await compareAll(doubts);
      for (const [i, doubt] of doubts.entries()) leaders[i] ??= await settleAlone(doubt);
      return leaders;
    },
  };
}

function rangeOf({ bytes, request }: PlannedLine): ByteRange {
  return { bytes, start: request.bodyStart, end: request.bodyEnd };
}

function bodyOf({ bytes, request }: PlannedLine): Buffer {
  return bytes.subarray(request.bodyStart, request.bodyEnd);
}
