import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../test/support/scripted-upstream.ts";
import { createMemoryJournal } from "../journal/memory.ts";

test("an engine runs batches before it has swept, and stops when it has", async () => {
  const swept = Promise.withResolvers<void>();
  const journal = createMemoryJournal();
  const fixture = await createEngineFixture(createScriptedUpstream(echo), {
    journal: {
      ...journal,
      // The first thing that a sweep asks for.
      async batches() {
        await swept.promise;
        return journal.batches();
      },
    },
  });
  const { id } = await fixture.addBatch(requestLines(3));
  await fixture.engine.start();
  expect(await fixture.until(id)).toMatchObject({ status: "completed" });

  let isStopped = false;
  const stopped = fixture.engine.stop(0).then(() => {
    isStopped = true;
  });
  await setImmediate();
  expect(isStopped).toBe(false);
  swept.resolve();
  await stopped;
});

test("an engine starts although it cannot sweep, and says so", async () => {
  const said: string[] = [];
  const log = { info() {}, warn() {}, error: (_: unknown, message: string) => void said.push(message) };
  const journal = { ...createMemoryJournal(), batches: () => Promise.reject(new Error("gone")) };
  const fixture = await createEngineFixture(createScriptedUpstream(echo), { journal, log });
  const { id } = await fixture.addBatch(requestLines(3));
  await fixture.engine.start();
  await fixture.until(id);
  expect(said).toEqual(["Cannot sweep; trying again later"]);
});
