import { expect, test } from "vitest";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo, fails } from "../../test/support/scripted-upstream.ts";
import { createSharedLock } from "../control/shared-lock.ts";
import { createMemoryFileStore } from "../files/memory.ts";
import { createObjectJournal } from "../journal/objects.ts";
import type { Bucket } from "../s3/bucket.ts";
import { createSystemClock } from "./clock.ts";
import { defaultSettings } from "./settings.ts";

/** What waits for ever, until it is given up. */
function createSilence() {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  return { promise, giveUp: () => reject(new Error("It was given up")) };
}

/** Keeps nothing: what is put is refused, or gets no answer until the bucket is closed. */
function createBrokenBucket(put: () => Promise<never>): Bucket {
  const nothing = () => Promise.reject(new Error("Nothing is there"));
  return {
    ...{ put, upload: nothing, first: nothing, open: nothing, mostUploadBytes: 0 },
    async *list() {},
    async *folders() {},
    async *read() {},
    size: async () => null,
    async remove() {},
    async abortUploads() {},
    close() {},
  };
}

interface Trouble {
  /** What is put gets no answer; else it is refused. */
  isSilent: boolean;
  /** The lines of the second model are never read. */
  isUnread: boolean;
  isCancelled: boolean;
}

/** Runs a batch whose answers cannot be kept, on a clock that runs a hundred times as fast. */
async function runUnkept({ isSilent, isUnread, isCancelled }: Trouble) {
  const silence = createSilence();
  const refused = () => Promise.reject(new Error("It refuses"));
  const bucket = createBrokenBucket(isSilent ? () => silence.promise : refused);
  const journal = createObjectJournal({ bucket, flushIntervalMs: 1, retryMs: 5 });
  const system = createSystemClock();
  const memory = createMemoryFileStore();
  const open: typeof memory.open = async (key) => {
    const reader = await memory.open(key);
    if (key.endsWith(".plan") || !isUnread) return reader;
    const read: typeof reader.read = (offset, length) =>
      offset > reader.bytes / 3 ? silence.promise : reader.read(offset, length);
    return { ...reader, read };
  };
  const upstream = createScriptedUpstream((call) =>
    call.idempotencyKey.includes(":1:") ? fails("unavailable") : echo(call),
  );
  const fixture = await createEngineFixture(upstream, {
    ...{ journal, lock: createSharedLock(), files: { ...memory, open }, random: () => 1 },
    clock: { ...system, after: (ms, ...rest) => system.after(ms / 100, ...rest) },
    settings: { ...defaultSettings, cancelGraceMs: 0 },
    giveUpFiles() {
      journal.close();
      silence.giveUp();
    },
  });
  const input = requestLines(4, (i) => ({ body: { model: i < 2 ? "a" : "b", messages: [] } }));
  const { id } = await fixture.addBatch(input);
  await fixture.engine.start();
  while (upstream.calls.length < 2) await new Promise(setImmediate);
  if (isCancelled) {
    const { version } = await fixture.get(id);
    await fixture.control.updateBatch(id, version, { status: "cancelling", cancelling_at: 1 });
    fixture.engine.wake();
    await fixture.engine.changed(50);
  }
  return fixture;
}

const both = [true, false];
const troubles = both.flatMap((isSilent) =>
  both.flatMap((isUnread) => both.map((isCancelled) => ({ isSilent, isUnread, isCancelled }))),
);

test.each(troubles)("an engine whose answers cannot be kept stops all the same: %o", async (trouble) => {
  const { engine } = await runUnkept(trouble);
  await engine.stop(100);
  expect(engine.running).toBe(false);
});
