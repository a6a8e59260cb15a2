import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../test/support/scripted-upstream.ts";
import { NerifError } from "../batch/errors.ts";
import type { FileStore } from "../files/file-store.ts";
import { createMemoryFileStore } from "../files/memory.ts";
import { createDiskJournal } from "../journal/disk.ts";
import type { UpstreamCall } from "../upstreams/upstream.ts";
import { planKey } from "./batch-files.ts";

const lineOf = (call: UpstreamCall) => Number(call.idempotencyKey.split(":")[1]);

function diskJournal() {
  const directory = mkdtempSync(join(tmpdir(), "nerif-journal-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const onFatal = (error: Error) => expect.unreachable(error.message);
  return { directory, journal: createDiskJournal({ directory, onFatal }) };
}

/** Runs until the first shard is done and the second is not, then damages one byte of the first one's journal. */
test("a line whose result is damaged on disk runs again, and no other does", async () => {
  const { directory, journal } = diskJournal();
  const upstream = createScriptedUpstream((call) =>
    lineOf(call) < 700 ? echo(call) : new Promise(() => {}),
  );
  const fixture = await createEngineFixture(upstream, { journal });
  const { id } = await fixture.addBatch(requestLines(1000));
  await fixture.engine.start();
  await fixture.until(id, () => (fixture.engine.progress(id)?.counts.completed ?? 0) >= 700);
  await fixture.engine.stop(0);

  const segment = join(directory, id, "0-1.seg");
  const bytes = readFileSync(segment);
  const at = bytes.indexOf("Say 300");
  bytes[at] = 0x58;
  writeFileSync(segment, bytes);

  const again = createScriptedUpstream(echo);
  await fixture.restart({ pickUpstreams: () => [again] });
  const batch = await fixture.until(id);
  expect(batch).toMatchObject({
    status: "completed",
    request_counts: { total: 1000, completed: 1000, failed: 0 },
  });
  const repeated = again.calls.map(lineOf).filter((line) => line < 700);
  expect(repeated).toEqual([300]);
  const lines = await fixture.lines(batch.output_file_id);
  expect(lines.map((line) => line.custom_id)).toEqual(Array.from({ length: 1000 }, (_, i) => `r${i}`));
  expect(lines[300]?.response?.body?.echo).toMatchObject({ messages: [{ content: "Say 300" }] });
});

test("a line whose result is damaged after its batch has ended runs again once, though the window is over", async () => {
  const { directory, journal } = diskJournal();
  const memory = createMemoryFileStore();
  let isFull = false;
  const create: FileStore["create"] = (key) =>
    isFull && key.startsWith("file-")
      ? Promise.reject(new NerifError("disk_full", "Cannot write: the disk is full"))
      : memory.create(key);
  const fixture = await createEngineFixture(createScriptedUpstream(echo), {
    journal,
    files: { ...memory, create },
  });
  const { id } = await fixture.addBatch(requestLines(20));
  isFull = true;
  await fixture.engine.start();
  await fixture.until(id, ({ ending }) => ending !== null);
  await fixture.engine.stop(0);

  const segment = join(directory, id, "0-1.seg");
  const bytes = readFileSync(segment);
  bytes[bytes.indexOf("Say 7")] = 0x58;
  writeFileSync(segment, bytes);
  const now = await fixture.get(id);
  await fixture.control.updateBatch(id, now.version, { expires_at: now.created_at });
  isFull = false;

  const { endingBatches } = fixture.control;
  let looks = 0;
  fixture.control.endingBatches = (...given) => endingBatches(...given).finally(() => (looks += 1));
  const again = createScriptedUpstream(async (call) => {
    // Its answer takes longer than several looks at what has to end.
    for (const until = looks + 5; looks < until; ) {
      engine.wake();
      await new Promise(setImmediate);
    }
    return echo(call);
  });
  const engine = await fixture.restart({ pickUpstreams: () => [again] });
  expect(await fixture.until(id)).toMatchObject({ status: "completed", request_counts: { completed: 20 } });
  expect(again.calls.map(lineOf)).toEqual([7]);
});

/** Puts other bytes of the same length in the place of a stored file. */
async function damage(files: FileStore, key: string, change: (bytes: Buffer) => void): Promise<void> {
  const reader = await files.open(key);
  const bytes = await reader.read(0, reader.bytes);
  await reader.close();
  change(bytes);
  const writer = await files.create(key);
  await writer.write([bytes]);
  await writer.commit();
}

/** A batch of which line 0 is answered and nothing else, in the hands of no process. */
async function stoppedBatch() {
  const upstream = createScriptedUpstream((call) =>
    lineOf(call) === 0 ? echo(call) : new Promise(() => {}),
  );
  const fixture = await createEngineFixture(upstream);
  const { id, input_file_id } = await fixture.addBatch(requestLines(6));
  await fixture.engine.start();
  await fixture.until(id, () => fixture.engine.progress(id)?.counts.completed === 1);
  await fixture.engine.stop(0);
  const again = createScriptedUpstream(echo);
  return {
    ...fixture,
    id,
    input_file_id,
    again,
    goOn: () => fixture.restart({ pickUpstreams: () => [again] }),
  };
}

test("a request that is damaged in the store is not sent: its line fails, and no other does", async () => {
  const { files, again, goOn, until, lines, id, input_file_id } = await stoppedBatch();
  await damage(files, input_file_id, (bytes) => {
    bytes[bytes.indexOf("Say 2")] = 0x58;
    bytes[bytes.indexOf('"r4"') + 2] = 0x35;
  });
  await goOn();
  const batch = await until(id);
  expect(batch).toMatchObject({ status: "completed", request_counts: { total: 6, completed: 4, failed: 2 } });
  expect(again.calls.map(lineOf).sort()).toEqual([1, 3, 5]);
  const failed = await lines(batch.error_file_id);
  expect(failed).toMatchObject([
    { custom_id: "r2", response: null, error: { code: "input_damaged" } },
    // Not r5, which it says now: that is another line's.
    { custom_id: "(damaged id of request 4)", response: null, error: { code: "input_damaged" } },
  ]);
});

test("lines of an input that somebody writes to are not taken for damaged ones", async () => {
  const { files, again, until, get, restart, id, input_file_id } = await stoppedBatch();
  const was: Buffer[] = [];
  await damage(files, input_file_id, (bytes) => {
    was.push(Buffer.from(bytes));
    bytes.fill("x", 0, bytes.length - 1);
  });
  let isWrittenTo = true;
  const open: FileStore["open"] = async (key) => ({
    ...(await files.open(key)),
    isUnchanged: async () => !isWrittenTo,
  });
  const noticed = Promise.withResolvers<NerifError>();
  const onProblem = (_: string, error: NerifError) => noticed.resolve(error);
  const clock = createTestClock();
  await restart({ pickUpstreams: () => [again], files: { ...files, open }, onProblem, clock });
  expect(await noticed.promise).toMatchObject({ code: "input_changed" });
  expect((await get(id)).request_counts.failed).toBe(0);

  isWrittenTo = false;
  await damage(files, input_file_id, (bytes) => void was[0]?.copy(bytes));
  clock.advance(30_000);
  expect(await until(id)).toMatchObject({ status: "completed", request_counts: { completed: 6, failed: 0 } });
});

test.each(["is damaged", "is gone"])(
  "a plan that %s is written again, and the batch goes on",
  async (how) => {
    const { files, again, goOn, until, lines, id } = await stoppedBatch();
    if (how === "is gone") await files.delete(planKey(id));
    else {
      await damage(files, planKey(id), (bytes) => {
        bytes[40] = (bytes[40] ?? 0) ^ 1;
      });
    }
    await goOn();
    const batch = await until(id);
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 6, completed: 6, failed: 0 },
    });
    expect(again.calls.map(lineOf).sort()).toEqual([1, 2, 3, 4, 5]);
    expect((await lines(batch.output_file_id)).map((line) => line.custom_id)).toEqual([
      "r0",
      "r1",
      "r2",
      "r3",
      "r4",
      "r5",
    ]);
  },
);

test("an input that is damaged before it is validated is refused as a whole", async () => {
  const fixture = await createEngineFixture(createScriptedUpstream(echo));
  const { id, input_file_id } = await fixture.addBatch(requestLines(6));
  await damage(fixture.files, input_file_id, (bytes) => {
    bytes[bytes.indexOf("Say 2")] = 0x58;
  });
  await fixture.engine.start();
  const batch = await fixture.until(id);
  expect(batch).toMatchObject({ status: "failed", errors: [{ code: "input_changed", line: null }] });
});

test("a batch goes on by itself when the control store failed at the end of a shard", async () => {
  const upstream = createScriptedUpstream(echo);
  const fixture = await createEngineFixture(upstream, { onProblem: () => fixture.letLeasesRunOut() });
  const { finishShard } = fixture.control;
  let failures = 0;
  fixture.control.finishShard = (...given) => {
    failures += 1;
    return failures === 2 ? Promise.reject(new Error("the disk is away")) : finishShard(...given);
  };
  const { id } = await fixture.addBatch(requestLines(1500));
  await fixture.engine.start();
  const batch = await fixture.until(id);
  expect(batch).toMatchObject({
    status: "completed",
    request_counts: { total: 1500, completed: 1500, failed: 0 },
  });
  expect(failures).toBeGreaterThan(2);
  const sent = upstream.calls.map(lineOf);
  // What was on its way when it failed may be sent again, as after a crash; nothing that was durable is.
  expect(sent.length - new Set(sent).size).toBeLessThanOrEqual(8);
  expect(
    new Set(await fixture.lines(batch.output_file_id).then((lines) => lines.map((line) => line.id))).size,
  ).toBe(1500);
});
