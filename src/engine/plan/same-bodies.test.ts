import { describe, expect, test } from "vitest";
import { checkRequestLine } from "../../batch/request-line.ts";
import { createMemoryFileStore } from "../../files/memory.ts";
import type { IdSet } from "./id-set.ts";
import type { PlannedLine } from "./plan.ts";
import { createSameBodies, type Doubt, type SameBodiesOptions } from "./same-bodies.ts";

const embeddings = (input: string) => ({ url: "/v1/embeddings", body: { model: "m", input } });
const chat = (temperature: number, content = "hi") => ({
  url: "/v1/chat/completions",
  body: { model: "m", messages: [{ role: "user", content }], temperature },
});

describe("createSameBodies()", () => {
  test("finds lines with the same body, where equal requests have equal answers", async () => {
    const lines = [embeddings("a"), chat(0), embeddings("a"), chat(0), chat(1), chat(1), embeddings("b")];
    expect(await leadersOf(lines)).toEqual([null, null, 0, 1, null, null, null]);
  });

  test("keeps endpoints apart", async () => {
    const { body } = chat(0);
    const lines = ["/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/responses"];
    expect(await leadersOf(lines.map((url) => ({ url, body })))).toEqual([null, null, null, 1]);
  });

  test("tells bodies apart that only have one hash, however they are divided into chunks", async () => {
    const lines = ["a", "b", "c", "b", "a", "ab", "c", "ab", "abc", "abc"].map(embeddings);
    const expected = [null, null, null, 1, 0, null, 2, 5, null, 8];
    for (const chunk of [1, 2, 3, 10]) {
      expect(await leadersOf(lines, { chunk, newSet: oneHash })).toEqual(expected);
    }
  });

  test("finds each among thousands, with leaders far away", async () => {
    const half = Array.from({ length: 3_000 }, (_, i) => embeddings(`text ${i} ${"x".repeat(i % 300)}`));
    const leaders = await leadersOf([...half, ...half], { chunk: 700 });
    expect(leaders.slice(0, 3_000).every((leader) => leader === null)).toBe(true);
    expect(leaders.slice(3_000)).toEqual(half.map((_, i) => i));
  });
});

async function leadersOf(
  requests: object[],
  { chunk = 3, newSet }: { chunk?: number; newSet?: SameBodiesOptions["newSet"] } = {},
): Promise<(number | null)[]> {
  const texts = requests.map((request, i) =>
    JSON.stringify({ custom_id: `${i}`, method: "POST", ...request }),
  );
  const files = createMemoryFileStore();
  const writer = await files.create("in");
  await writer.write([Buffer.from(`${texts.join("\n")}\n`)]);
  await writer.commit();
  const bodies = createSameBodies({ input: await files.open("in"), newSet });
  const leaders: (number | null)[] = texts.map(() => null);
  let doubts: Doubt[] = [];
  let offset = 0;
  for (const [line, text] of texts.entries()) {
    const planned = plannedLine(text, { line, offset });
    const candidates = bodies.add(planned);
    if (candidates !== null) doubts.push({ planned, candidates });
    offset += Buffer.byteLength(text) + 1;
    if ((line + 1) % chunk !== 0 && line !== texts.length - 1) continue;
    const settled = await bodies.settle(doubts);
    for (const [i, { planned }] of doubts.entries()) leaders[planned.line] = settled[i] ?? null;
    doubts = [];
  }
  return leaders;
}

function plannedLine(text: string, place: { line: number; offset: number }): PlannedLine {
  const bytes = Buffer.from(text);
  const check = checkRequestLine(bytes);
  if (!check.ok) throw new Error(JSON.stringify(check.errors));
  return { ...place, bytes, request: check.request };
}

/** A set in which every body has the same hash. */
function oneHash(): IdSet {
  const lines: number[] = [];
  return {
    add(_, line) {
      if (lines.length > 0) return false;
      lines.push(line);
      return true;
    },
    linesOf: () => [...lines],
    addBeside: (_, line) => void lines.push(line),
    get size() {
      return lines.length;
    },
  };
}
