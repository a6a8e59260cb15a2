import { setTimeout as sleep } from "node:timers/promises";
import { createDiskJournal } from "../../src/journal/disk.ts";
import { type JournalEntry, recordKinds, type SegmentWriter } from "../../src/journal/journal.ts";
import { quantile } from "../measure/spread.ts";
import { answers } from "../upstream/answers.ts";

/**
 * Answers that come at a fixed rate, whether or not the journal keeps up, into segments of 512 as the engine writes
 * them. An answer is late from the moment at which it was due, so that a hold-up counts for all that wait behind it.
 */
const [directory = "", perSecond = "10000", seconds = "5"] = process.argv.slice(2);
const total = Number(perSecond) * Number(seconds);
const perMillisecond = Number(perSecond) / 1_000;
const linesPerSegment = 512;
/** Left out of the figures: code that has not been compiled yet is not what is asked about. */
const warmUp = Number(perSecond);

interface Entry extends JournalEntry {
  dueAt: number;
}

const journal = createDiskJournal({
  directory,
  onFatal(error) {
    throw error;
  },
});
const delays: number[] = [];
const payload = [Buffer.alloc(120, "{"), Buffer.from(answers.chat), Buffer.alloc(20, "}")];
const closing: Promise<number>[] = [];
const begin = performance.now();
let writer: SegmentWriter<Entry> | null = null;
let next: Promise<SegmentWriter<Entry>> = openSegment(0);

for (let line = 0; line < total; ) {
  const due = Math.min(total, Math.floor((performance.now() - begin) * perMillisecond));
  for (; line < due; line += 1) {
    if (writer === null || line % linesPerSegment === 0) {
      if (writer !== null) closing.push(writer.close());
      writer = await next;
      // One ahead: the engine leases the next shard before it needs it.
      next = openSegment(Math.floor(line / linesPerSegment) + 1);
    }
    writer.append({
      ...{ line, kind: recordKinds.output, attempts: 1, payload },
      dueAt: begin + line / perMillisecond,
    });
  }
  await sleep(1);
}
if (writer !== null) closing.push(writer.close());
closing.push((await next).close());
await Promise.all(closing);

const measured = delays.slice(warmUp);
const figures = { p50: quantile(measured, 0.5), p99: quantile(measured, 0.99), max: quantile(measured, 1) };
console.log(JSON.stringify(figures));

function openSegment(shard: number): Promise<SegmentWriter<Entry>> {
  const id = { batchId: "batch_0123456789abcdef0123456789abcdef", shard, epoch: 1 };
  return journal.create<Entry>(id, (entries) => {
    const now = performance.now();
    for (const { dueAt } of entries) delays.push(now - dueAt);
  });
}
