import { expect, test } from "vitest";
import { createEngineFixture, requestLines } from "../../test/support/engine.ts";
import { createScriptedUpstream, echo } from "../../test/support/scripted-upstream.ts";
import type { UpstreamCall } from "../upstreams/upstream.ts";
import { streamResults } from "./results.ts";

const lineOf = (call: UpstreamCall) => Number(call.idempotencyKey.split(":")[1]);

test("results of a running batch have the lines that get the answers of others, each once", async () => {
  const held = Promise.withResolvers<void>();
  const upstream = createScriptedUpstream((call) =>
    lineOf(call) === 2 ? held.promise.then(() => echo(call)) : echo(call),
  );
  const fixture = await createEngineFixture(upstream);
  const input = requestLines(12, (i) => ({
    body: { model: "m", messages: [{ role: "user", content: `Say ${i % 3}` }], temperature: 0 },
  }));
  const { id } = await fixture.addBatch(input, { metadata: { nerif_dedupe: "true" } });
  await fixture.engine.start();
  await fixture.until(id, () => fixture.engine.progress(id)?.counts.completed === 8);

  const { engine, deps } = fixture;
  const texts: string[] = [];
  for await (const text of streamResults({ ...deps, engine }, () => fixture.get(id), { follow: true })) {
    texts.push(text.toString());
    held.resolve();
  }
  const lines = texts
    .join("")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const early = lines.slice(0, 8).map((line) => line.custom_id);
  expect(early.sort()).toEqual(["r0", "r1", "r10", "r3", "r4", "r6", "r7", "r9"]);
  expect(lines.map((line) => line.custom_id).sort()).toEqual(
    Array.from({ length: 12 }, (_, i) => `r${i}`).sort(),
  );
  for (const { custom_id, response } of lines) {
    const content = `Say ${Number(custom_id.slice(1)) % 3}`;
    expect(response.body.echo.messages).toEqual([{ role: "user", content }]);
  }
});
