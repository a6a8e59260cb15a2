import type { FileHandle } from "node:fs/promises";
import { NerifError } from "../batch/errors.ts";
import type { CommitGroup, Flushable } from "./commit-group.ts";
import type { JournalEntry, SegmentId, SegmentWriter } from "./journal.ts";
import { encodeHeader, headerBytes, payloadBytes, recordHeaderBytes } from "./record.ts";
import type { Stage } from "./stage.ts";

export interface JournalCalls {
  /** `writev` at a position; returns how many bytes were taken. */
  write(fd: number, buffers: Uint8Array[], position: number): number;
  /** `fdatasync`. */
  sync(fd: number, done: (error: Error | null) => void): void;
}

export interface SegmentWriterOptions<E extends JournalEntry> {
  id: SegmentId;
  /** An empty file of this segment's own. */
  handle: FileHandle;
  group: CommitGroup;
  stage: Stage;
  calls: JournalCalls;
  onDurable: (entries: E[]) => void;
}

const noBytes: readonly Uint8Array[] = [];

export function createSegmentWriter<E extends JournalEntry>(
  options: SegmentWriterOptions<E>,
): SegmentWriter<E> {
  const { id, handle, group, stage, calls, onDurable } = options;
  const { fd } = handle;
  /** Entries that are not durable yet, in order; the first `written` of them are in the file. */
  let entries: E[] = [];
  let written = 0;
  /** Bytes appended, in the file, and durable. */
  let bytes = headerBytes;
  let position = 0;
  let durable = 0;
  let closed: PromiseWithResolvers<number> | null = null;
  const segment: Flushable = { write, sync, fail };
  group.join(segment);

  return {
    append(entry) {
      if (closed)
        throw new NerifError("internal_error", `Cannot keep line ${entry.line}: the segment is closed`);
      const size = recordHeaderBytes + payloadBytes(entry);
      entries.push(entry);
      bytes += size;
      group.count(size);
      group.schedule(segment);
    },
    get bytes() {
      return bytes;
    },
    close() {
      if (closed) return closed.promise;
      closed = Promise.withResolvers<number>();
      if (group.failure) fail(group.failure);
      else if (durable === bytes) release();
      else if (position < bytes) group.schedule(segment);
      return closed.promise;
    },
  };

  function write(): void {
    while (position < bytes) {
      stage.clear();
      if (position === 0) stage.addHeader(encodeHeader(id));
      let staged = written;
      for (let entry = entries[staged]; entry !== undefined && stage.add(entry); entry = entries[staged])
        staged += 1;
      // Only a whole round counts: after ENOSPC in its middle the same bytes are written again at `position`.
      position += writeFully(stage.take());
      // What is in the file is not needed any more: kept until it is synced, it would be taken for old by the collector.
      for (; written < staged; written += 1) (entries[written] as E).payload = noBytes;
      stage.clear();
    }
  }

  function writeFully(buffers: Uint8Array[]): number {
    let total = 0;
    let rest = buffers;
    while (rest.length > 0) {
      const taken = calls.write(fd, rest, position + total);
      total += taken;
      rest = dropBytes(rest, taken);
    }
    return total;
  }

  function sync(done: (error: Error | null) => void): void {
    const covered = written;
    const end = position;
    // DURABLE: an entry is reported, and thereby counted, only behind this.
    calls.sync(fd, (error) => {
      if (error || group.failure) return done(error);
      const reported = covered === entries.length ? entries : entries.slice(0, covered);
      entries = covered === entries.length ? [] : entries.slice(covered);
      written -= covered;
      // The header was never counted as unflushed.
      group.count(Math.max(durable, headerBytes) - Math.max(end, headerBytes));
      durable = end;
      // Before the report, in which the caller may close the segment itself.
      if (closed && durable === bytes) release();
      if (reported.length > 0) onDurable(reported);
      done(null);
    });
  }

  function release(): void {
    group.leave(segment);
    const size = bytes;
    // All is durable, so what closing might still complain about does not matter.
    const resolve = () => closed?.resolve(size);
    handle.close().then(resolve, resolve);
  }

  function fail(error: NerifError): void {
    group.leave(segment);
    closed?.reject(error);
    handle.close().catch(() => {});
  }
}

function dropBytes(buffers: Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  for (const [index, buffer] of buffers.entries()) {
    if (skip < buffer.byteLength) return [buffer.subarray(skip), ...buffers.slice(index + 1)];
    skip -= buffer.byteLength;
  }
  return [];
}
