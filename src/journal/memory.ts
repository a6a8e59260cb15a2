import { NerifError } from "../batch/errors.ts";
import type { Journal, JournalEntry, SegmentId, SegmentWriter } from "./journal.ts";
import { assertSegmentId, encodeHeader, headerBytes, payloadBytes, recordHeaderBytes } from "./record.ts";
import { createRecordParser } from "./record-parser.ts";
import { createStage } from "./stage.ts";

export interface MemoryJournalOptions {
  /** Makes entries durable at the end of the turn that appended them. Default true; else only `flush` does. */
  autoFlush?: boolean;
}

/** A journal in memory whose disk does what a test tells it to do. */
export interface MemoryJournal extends Journal {
  /** Makes everything durable that was appended, and reports it. Does nothing while the disk is full. */
  flush(): void;
  /** What a power cut does: forgets all that is not durable. Writers of before never report anything again. */
  crash(): void;
  /** Fills the disk, or makes room. */
  setFull(full: boolean): void;
  /** Turns the bits of one durable byte of a segment. */
  damage(id: SegmentId, offset: number): void;
}

/** Segments in memory, in the very format of the disk; nothing survives the process. */
export function createMemoryJournal({ autoFlush = true }: MemoryJournalOptions = {}): MemoryJournal {
  const segments = new Map<string, Map<string, Buffer>>();
  const dirty = new Set<() => void>();
  const listeners = new Set<() => void>();
  const stage = createStage();
  let scheduled = false;
  let stalled = false;
  let unflushedBytes = 0;
  let crashes = 0;

  return {
    async create(id, onDurable) {
      assertSegmentId(id);
      if (find(id)) {
        throw new NerifError("data_damaged", `Cannot begin segment ${nameOf(id)}: its epoch was used before`);
      }
      keep(id, Buffer.alloc(0));
      return createWriter(id, onDurable);
    },

    async scan(id, end, onRecord) {
      assertSegmentId(id);
      const content = Buffer.from(find(id) ?? Buffer.alloc(0));
      const available = content.byteLength;
      const parser = createRecordParser({ id, available, end, onRecord });
      parser.push(content.subarray(0, Math.min(available, end ?? available)));
      return parser.finish();
    },

    secure: () => Promise.resolve(null),

    async open(id) {
      assertSegmentId(id);
      if (!find(id)) {
        throw new NerifError("data_damaged", `Cannot read segment ${nameOf(id)}: it is not there`);
      }
      return {
        async read(offset, length) {
          const bytes = Buffer.from(find(id)?.subarray(offset, offset + length) ?? []);
          if (bytes.byteLength === length) return bytes;
          throw new NerifError("data_damaged", `Cannot read segment ${nameOf(id)}: it ends before its end`);
        },
        // A segment holds what is durable and nothing else.
        async sync() {},
        async close() {},
      };
    },

    gapBytes: 0,

    async epochs(batchId, shard) {
      assertSegmentId({ batchId, shard, epoch: 0 });
      const names = [...(segments.get(batchId)?.keys() ?? [])].map((name) => name.split("-").map(Number));
      return names
        .flatMap(([of, epoch]) => (of === shard && epoch !== undefined ? [epoch] : []))
        .sort((a, b) => a - b);
    },

    async remove(batchId) {
      assertSegmentId({ batchId, shard: 0, epoch: 0 });
      segments.delete(batchId);
    },

    async batches() {
      return [...segments.keys()];
    },

    get unflushedBytes() {
      return unflushedBytes;
    },
    get stalled() {
      return stalled;
    },
    stallReason: "disk_full",
    onFlush(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    flush,
    crash() {
      crashes += 1;
      dirty.clear();
      unflushedBytes = 0;
    },
    setFull(full) {
      if (stalled === full) return;
      stalled = full;
      tellListeners();
      if (!full && autoFlush) flush();
    },
    damage(id, offset) {
      const content = find(id);
      const byte = content?.[offset];
      if (content && byte !== undefined) content[offset] = byte ^ 0xff;
    },
  };

  function createWriter<E extends JournalEntry>(
    id: SegmentId,
    onDurable: (entries: E[]) => void,
  ): SegmentWriter<E> {
    let entries: E[] = [];
    let bytes = headerBytes;
    let closed: PromiseWithResolvers<number> | null = null;
    const bornAfter = crashes;

    function commit(): void {
      const before = find(id)?.byteLength ?? 0;
      const added = before === 0 ? [encodeHeader(id)] : [];
      const reported = entries;
      entries = [];
      for (const entry of reported) added.push(encodeRecord(entry));
      keep(id, Buffer.concat([find(id) ?? Buffer.alloc(0), ...added]));
      unflushedBytes -= bytes - Math.max(before, headerBytes);
      closed?.resolve(bytes);
      if (reported.length > 0) onDurable(reported);
    }

    return {
      append(entry) {
        if (closed)
          throw new NerifError("internal_error", `Cannot keep line ${entry.line}: the segment is closed`);
        if (bornAfter !== crashes) return;
        const size = recordHeaderBytes + payloadBytes(entry);
        entries.push(entry);
        bytes += size;
        unflushedBytes += size;
        schedule(commit);
      },
      get bytes() {
        return bytes;
      },
      close() {
        if (closed) return closed.promise;
        closed = Promise.withResolvers<number>();
        if (find(id)?.byteLength === bytes) closed.resolve(bytes);
        else if (bornAfter === crashes) schedule(commit);
        return closed.promise;
      },
    };
  }

  function encodeRecord(entry: JournalEntry): Buffer {
    stage.clear();
    stage.add(entry);
    return Buffer.concat(stage.take());
  }

  function schedule(commit: () => void): void {
    dirty.add(commit);
    if (!autoFlush || scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      flush();
    });
  }

  function flush(): void {
    if (stalled || dirty.size === 0) return;
    const commits = [...dirty];
    dirty.clear();
    for (const commit of commits) commit();
    tellListeners();
  }

  function tellListeners(): void {
    for (const listener of listeners) listener();
  }

  function find(id: SegmentId): Buffer | undefined {
    return segments.get(id.batchId)?.get(nameOf(id));
  }

  function keep(id: SegmentId, content: Buffer): void {
    const ofBatch = segments.get(id.batchId) ?? new Map<string, Buffer>();
    segments.set(id.batchId, ofBatch.set(nameOf(id), content));
  }
}

function nameOf(id: SegmentId): string {
  return `${id.shard}-${id.epoch}`;
}
