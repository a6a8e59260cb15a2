import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { expectSound } from "../support/part.ts";
import { type SoakSettings, soakPart } from "./soak.ts";

vi.setConfig({ testTimeout: 300_000 });

// Of young processes, whose memory still finds its size.
const short: SoakSettings = {
  ...{ lifeMs: 4_000, readEveryMs: 250, tailMs: 1_500, warmUpMs: 2_000 },
  ...{ judgeEvery: 3, mostMiB: 100, mostOpen: 40 },
};

test("nerif serve stays sound and flat under clients, with and without kills", async (context) => {
  const counts = await expectSound(soakPart(short), { context, rounds: [0, 1, 2] });
  expect(counts.kills).toBe(3);
  expect(counts.lines).toBeGreaterThan(100);
  expect(counts.reads).toBeGreaterThan(50);
});

test("the soak finds memory and descriptors that leak, and what each start makes larger", async (context) => {
  const env = {
    NODE_OPTIONS: `--import ${join(import.meta.dirname, "soak/leak.ts")}`,
    ...{ NERIF_LEAK_MIB: "20", NERIF_LEAK_FILES: "80", NERIF_LEAK_START: "300" },
  };
  const part = soakPart({ ...short, env });
  const reason = part.unavailable();
  if (reason !== null) context.skip(reason);
  const directory = await mkdtemp(join(tmpdir(), "nerif-leak-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await using rounds = await part.open({ directory, seed: 1 });
  for (const index of [0, 1]) await rounds.round(index);
  const violations = (await rounds.round(2))?.violations ?? [];
  expect(violations.filter((text) => !text.startsWith("I10"))).toEqual([]);
  expect(violations).toContainEqual(expect.stringMatching(/^I10 memory at the end of a life, MiB, grew/));
  expect(violations).toContainEqual(expect.stringMatching(/^I10 memory without kills, MiB, grew/));
  expect(violations).toContainEqual(expect.stringMatching(/^I10 open files without kills grew/));
});
