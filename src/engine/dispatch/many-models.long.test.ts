import { expect, test } from "vitest";
import { createEngineFixture, requestLines } from "../../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../../test/support/scripted-upstream.ts";

test("a batch that names another model in each line keeps no queue for each while it runs", async () => {
  const lines = 1_500;
  let most = 0;
  const upstream = createScriptedUpstream((call) => {
    if (upstream.calls.length % 10 === 0) most = Math.max(most, fixture.engine.lanes().length);
    return echo(call);
  });
  const fixture = await createEngineFixture(upstream);
  const { id } = await fixture.addBatch(
    requestLines(lines, (i) => ({ body: { model: `m${i}`, messages: [] } })),
  );
  await fixture.engine.start();
  expect(await fixture.until(id)).toMatchObject({
    status: "completed",
    request_counts: { completed: lines },
  });
  expect(most).toBeLessThan(1_200);
});
