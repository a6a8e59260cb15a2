import type { Journal, SegmentReader } from "../../journal/journal.ts";

/** Segments that are open at once. */
const mostOpen = 64;
/** What is read at once at most, unless a single result is longer: one stretch, and all stretches together. */
const stretchBytes = 8 * 1024 * 1024;
const stretchesAtOnce = 16;

/** Where a result is in the journal of a batch. */
export interface ResultPlace {
  shard: number;
  epoch: number;
  offset: number;
  length: number;
}

/** The segments of a batch, for reading results by position. */
export interface OpenSegments {
  /**
   * Reads results in whatever order costs the fewest reads.
   * @param onResult told the number of the place, and its bytes, which the callee may not keep
   */
  read(places: readonly ResultPlace[], onResult: (nth: number, bytes: Buffer) => void): Promise<void>;
  close(): Promise<void>;
}

export function createOpenSegments({
  batchId,
  journal,
}: {
  batchId: string;
  journal: Journal;
}): OpenSegments {
  const open = new Map<string, Promise<SegmentReader>>();

  return {
    async read(places, onResult) {
      const stretches = stretchesOf(places, journal.gapBytes);
      for (let from = 0; from < stretches.length; ) {
        const some = atOnce(stretches, from);
        from += some.length;
        await Promise.all(
          some.map(async ({ first, start, end, members }) => {
            const segment = await segmentOf(first);
            const bytes = await segment.read(start, end - start);
            for (const { nth, place } of members) {
              onResult(nth, bytes.subarray(place.offset - start, place.offset - start + place.length));
            }
          }),
        );
        await closeSome();
      }
    },
    async close() {
      for (const segment of open.values()) await (await segment).close();
      open.clear();
    },
  };

  function segmentOf({ shard, epoch }: ResultPlace): Promise<SegmentReader> {
    const name = `${shard}-${epoch}`;
    const segment = open.get(name) ?? journal.open({ batchId, shard, epoch });
    // The one that was used last goes last.
    open.delete(name);
    open.set(name, segment);
    segment.catch(() => open.delete(name));
    return segment;
  }

  async function closeSome(): Promise<void> {
    for (const [name, segment] of open) {
      if (open.size <= mostOpen) return;
      open.delete(name);
      await (await segment).close();
    }
  }
}

interface Stretch {
  first: ResultPlace;
  start: number;
  end: number;
  members: { nth: number; place: ResultPlace }[];
}

function stretchesOf(places: readonly ResultPlace[], gapBytes: number): Stretch[] {
  const sorted = places
    .map((place, nth) => ({ nth, place }))
    .sort(({ place: a }, { place: b }) => a.shard - b.shard || a.epoch - b.epoch || a.offset - b.offset);
  const stretches: Stretch[] = [];
  for (const member of sorted) {
    const { shard, epoch, offset, length } = member.place;
    const last = stretches.at(-1);
    const end = offset + length;
    const joins =
      last !== undefined &&
      last.first.shard === shard &&
      last.first.epoch === epoch &&
      offset - last.end <= gapBytes &&
      end - last.start <= stretchBytes;
    if (joins) {
      last.end = Math.max(last.end, end);
      last.members.push(member);
    } else stretches.push({ first: member.place, start: offset, end, members: [member] });
  }
  return stretches;
}

/** As many as may be in memory together, one at least. */
function atOnce(stretches: readonly Stretch[], from: number): Stretch[] {
  const some: Stretch[] = [];
  let bytes = 0;
  for (const stretch of stretches.slice(from, from + stretchesAtOnce)) {
    bytes += stretch.end - stretch.start;
    if (some.length > 0 && bytes > stretchBytes) break;
    some.push(stretch);
  }
  return some;
}
