import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../test/support/scripted-upstream.ts";
import { NerifError } from "../batch/errors.ts";
import { advance } from "../batch/lifecycle.ts";
import { createEngine } from "./executor.ts";

test("each try to write the result files writes under names of its own, so that a late one replaces nothing", async () => {
  const fixture = await createEngineFixture(createScriptedUpstream(echo));
  const { id } = await fixture.addBatch(requestLines(3));
  const create = fixture.files.create;
  const names: string[] = [];
  fixture.files.create = async (key) => {
    const writer = await create(key);
    if (!key.startsWith("file-")) return writer;
    names.push(key);
    const isFirst = names.length <= 2;
    return { ...writer, commit: () => (isFirst ? Promise.reject(failure) : writer.commit()) };
  };
  await fixture.engine.start();

  const batch = await fixture.until(id);
  expect(batch).toMatchObject({ status: "completed", request_counts: { completed: 3 } });
  expect(new Set(names).size).toBe(4);
  expect(batch.output_file_id).toBe(names[2]);
  expect(await fixture.lines(batch.output_file_id)).toHaveLength(3);
});

describe("while results are written for 100 ms", () => {
  test("another process that writes them too does not keep either from its end", async () => {
    const { fixture, id, passes, begun } = await writing();
    await passes(50);
    const other = createEngine(fixture.deps);
    onTestFinished(() => other.stop(0));
    await other.start();
    await passes(1_000);
    expect(await fixture.get(id)).toMatchObject({ status: "completed" });
    // Both did.
    expect(begun()).toBe(2 * filesPerTry);
  });

  test("a cancel is not waited with", async () => {
    const { fixture, id, passes, begun } = await writing();
    await passes(50);
    const batch = await fixture.get(id);
    const patch = advance(batch, { type: "cancel" }, batch.created_at);
    expect(await fixture.control.updateBatch(id, batch.version, patch ?? {})).not.toBeNull();
    await passes(160);
    expect(await fixture.get(id)).toMatchObject({ status: "cancelled", request_counts: { completed: 3 } });
    expect(begun()).toBe(2 * filesPerTry);
  });

  const filesPerTry = 2;

  /** A batch whose results have begun to be written. */
  async function writing() {
    const clock = createTestClock();
    const fixture = await createEngineFixture(createScriptedUpstream(echo), { clock });
    const { id } = await fixture.addBatch(requestLines(3));
    const { create } = fixture.files;
    let begun = 0;
    fixture.files.create = async (key) => {
      const writer = await create(key);
      if (!key.startsWith("file-")) return writer;
      begun += 1;
      const commit = async () => {
        await new Promise<void>((resolve) => clock.after(100, resolve));
        return writer.commit();
      };
      return { ...writer, commit };
    };
    const passes = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 10) {
        clock.advance(10);
        for (let turns = 0; turns < 20; turns += 1) await turn();
      }
    };
    await fixture.engine.start();
    while (begun < filesPerTry) await passes(10);
    return { fixture, id, passes, begun: () => begun };
  }
});

test("a try that can begin only one of the result files leaves nothing of it behind", async () => {
  const fixture = await createEngineFixture(createScriptedUpstream(echo));
  const { id } = await fixture.addBatch(requestLines(3));
  const { create } = fixture.files;
  let begun = 0;
  let forgotten = 0;
  fixture.files.create = async (key) => {
    if (key.startsWith("file-")) {
      begun += 1;
      if (begun === 2) throw failure;
    }
    const writer = await create(key);
    const abort = () => {
      forgotten += 1;
      return writer.abort();
    };
    return { ...writer, abort };
  };
  await fixture.engine.start();
  while (begun < 2) await fixture.engine.changed(50);
  const before = forgotten;
  expect(await fixture.until(id)).toMatchObject({ status: "completed" });
  expect(before).toBe(1);
});

test("a stop breaks the writing of result files off when its grace is over, and the next executor writes them", async () => {
  const fixture = await createEngineFixture(createScriptedUpstream(echo));
  // More than is gathered before it is written.
  const long = { model: "m", messages: [{ role: "user", content: "x".repeat(1_000) }] };
  const { id } = await fixture.addBatch(requestLines(2_000, () => ({ body: long })));
  const { create } = fixture.files;
  const stopped = Promise.withResolvers<void>();
  let writes = 0;
  fixture.files.create = async (key) => {
    const writer = await create(key);
    if (!key.startsWith("file-")) return writer;
    return {
      ...writer,
      async write(pieces) {
        writes += 1;
        if (writes === 1) fixture.engine.stop(0).then(stopped.resolve, stopped.reject);
        await writer.write(pieces);
      },
    };
  };
  await fixture.engine.start();
  await stopped.promise;
  expect(writes).toBeLessThan(4);
  expect(await fixture.get(id)).toMatchObject({ status: "finalizing", output_file_id: null });

  await fixture.restart();
  const batch = await fixture.until(id);
  expect(batch).toMatchObject({ status: "completed", request_counts: { completed: 2_000 } });
  expect(await fixture.lines(batch.output_file_id)).toHaveLength(2_000);
});

const failure = new NerifError("storage_unavailable", "Cannot write: the test says so");
