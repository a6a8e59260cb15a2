import { expect, test } from "vitest";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../test/support/scripted-upstream.ts";
import { planKey } from "./batch-files.ts";

test("a start removes the plan of a final batch whose process died before it could", async () => {
  const fixture = await createEngineFixture(createScriptedUpstream(echo));
  const { files, deps } = fixture;
  let deletions = 0;
  const dying = {
    ...files,
    // The journal is gone by then, and with it what told of the batch.
    delete: (key: string) => {
      deletions += 1;
      return key === planKey(id) && deletions === 1 ? Promise.reject(new Error("killed")) : files.delete(key);
    },
  };
  const { id } = await fixture.addBatch(requestLines(3));
  await fixture.restart({ files: dying });
  await fixture.until(id);
  await fixture.restart({ files });
  expect(await files.keys("")).not.toContain(planKey(id));
  expect(await deps.journal.batches()).toEqual([]);
});
