import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../test/support/scripted-upstream.ts";
import { createDiskJournal } from "../journal/disk.ts";

test("a shard whose answers are heavy is handed back and goes on in a further segment", async () => {
  const directory = mkdtempSync(join(tmpdir(), "nerif-journal-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const onFatal = (error: Error) => expect.unreachable(error.message);
  const journal = createDiskJournal({ directory, onFatal });
  const padding = "x".repeat(1024 * 1024);
  const upstream = createScriptedUpstream((call) => {
    const answer = echo(call);
    return answer.ok ? { ...answer, body: Buffer.from(`{"choices":[],"padding":"${padding}"}`) } : answer;
  });
  const fixture = await createEngineFixture(upstream, { journal });
  const { id } = await fixture.addBatch(requestLines(150));
  await fixture.engine.start();
  const finalizing = await fixture.until(id, (batch) => batch.ending !== null);
  expect(await journal.epochs(id, 0)).toEqual([1, 2, 3]);
  expect(finalizing.status).toBe("finalizing");
  const batch = await fixture.until(id);
  expect(batch).toMatchObject({ status: "completed", request_counts: { completed: 150 } });
  expect(upstream.calls).toHaveLength(150);
});
