import { expect, test } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { createEngineFixture, requestLines } from "../../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../../test/support/scripted-upstream.ts";
import { createMemoryJournal } from "../../journal/memory.ts";
import { createDispatcher } from "./dispatcher.ts";
import { firstModels, mostIdleLanes } from "./idle-lanes.ts";
import type { LineSource } from "./lane.ts";

const endpoint = "/v1/embeddings";

test("a dispatcher forgets the lane that nobody has used for longest, and none in use nor the first ones", () => {
  const dispatcher = createDispatcher(createScriptedUpstream(echo), {
    journal: createMemoryJournal(),
    clock: createTestClock(),
  });
  const use = (model: string | null) => {
    const [lane, source] = [dispatcher.lane(endpoint, model), aSource()];
    lane.add(source);
    return { lane, leave: () => dispatcher.remove(lane, source) };
  };
  const oldest = use("0");
  oldest.leave();
  for (let nth = 1; nth < firstModels; nth += 1) use(`${nth}`).leave();
  const busy = use("busy");
  const [first, second] = [use("first"), use("second")];
  first.leave();
  second.leave();
  second.lane.succeeded = 7;
  for (let nth = 2; nth < mostIdleLanes; nth += 1) use(`m${nth}`).leave();
  // Used again, it is the last one to go.
  use("first").leave();
  const all = firstModels + 1 + mostIdleLanes;
  expect(dispatcher.lanes).toHaveLength(all);
  expect(dispatcher.forgotten).toEqual([]);
  use("one more").leave();
  expect(dispatcher.lanes).toHaveLength(all);
  expect(dispatcher.forgotten).toMatchObject([{ endpoint, succeeded: 7 }]);
  for (const { lane } of [oldest, busy, first]) expect(dispatcher.lane(endpoint, lane.model)).toBe(lane);
  expect(dispatcher.lane(endpoint, "second")).not.toBe(second.lane);
});

test("a batch that names another model in each line leaves no lane behind for each, and no call uncounted", async () => {
  const fixture = await createEngineFixture(createScriptedUpstream(echo));
  const lines = 400;
  const { id } = await fixture.addBatch(
    requestLines(lines, (i) => ({ body: { model: `m${i}`, messages: [] } })),
  );
  await fixture.engine.start();
  expect(await fixture.until(id)).toMatchObject({
    status: "completed",
    request_counts: { completed: lines },
  });
  const lanes = fixture.engine.lanes();
  expect(lanes).toHaveLength(firstModels + mostIdleLanes + 1);
  expect(lanes.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(lines);
});

function aSource(): LineSource {
  return {
    ...{ project: "default", weight: 10, deadline: Number.POSITIVE_INFINITY },
    signal: new AbortController().signal,
    bytes: () => -1,
    take: () => null,
    dueMs: () => Number.POSITIVE_INFINITY,
    answered() {},
  };
}
