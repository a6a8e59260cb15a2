import { describe, expect, test } from "vitest";
import { lessWorkMetadata } from "../../batch/less-work.ts";
import { createMemoryFileStore } from "../../files/memory.ts";
import { followersKey } from "../batch-files.ts";
import { openFollowers } from "./followers.ts";
import { createFollowersWriter, type Follower } from "./followers-file.ts";
import type { PlannedLine } from "./plan.ts";

const batch = { id: "batch_1", metadata: lessWorkMetadata({ dedupe: true, groupByPrefix: false }) };

describe("openFollowers()", () => {
  test("knows who follows whom, over many blocks", async () => {
    // Lines 100, 101, ... follow the leaders 0 to 6 in turn, and the last one line 99.
    const pairs = Array.from({ length: 10_000 }, (_, i): [number, number] => [100 + i, i % 7]);
    pairs.push([10_100, 99]);
    const { followers } = await written(pairs);
    expect(followers.leaders).toBe(8);
    expect([0, 6, 7, 98, 99, 100].map(followers.weight)).toEqual([1_430, 1_429, 1, 1, 2, 1]);
    expect([0, 6, 7, 99].map(followers.rankOf)).toEqual([0, 6, -1, 7]);
    const lines: number[] = [];
    for await (const some of followers.of(3)) lines.push(...some.map(({ record }) => record.line));
    expect(lines).toEqual(pairs.flatMap(([line, leader]) => (leader === 3 ? [line] : [])));
    const all: [number, number][] = [];
    for await (const some of followers.inOrder()) {
      all.push(...some.map(({ record, leader }): [number, number] => [record.line, leader]));
    }
    expect(all).toEqual(pairs);
  });

  test("knows where none follows any", async () => {
    const { followers } = await written([]);
    expect([followers.leaders, followers.weight(0), followers.rankOf(0)]).toEqual([0, 1, -1]);
  });

  test("finds the id of a line in the input", async () => {
    const { followers } = await written([[5, 2]]);
    const found: Follower[] = [];
    for await (const some of followers.inOrder()) found.push(...some);
    const [follower] = found;
    expect(follower?.record).toMatchObject({ offset: 5 * 50 + 13, idStart: 0, idLength: 4, bodyLength: 0 });
  });

  test.each([0, 9, 17, 21, 30, 50])("refuses a file whose byte %i is another one", async (at) => {
    const { files } = await written([[5, 2]]);
    const reader = await files.open(followersKey(batch.id));
    const bytes = await reader.read(0, reader.bytes);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await put(files, bytes);
    await expect(openFollowers(batch, { files })).rejects.toMatchObject({ code: "data_damaged" });
    await put(files, bytes.subarray(0, 20));
    await expect(openFollowers(batch, { files })).rejects.toMatchObject({ code: "data_damaged" });
  });

  test("reads nothing of a batch that shares no answers", async () => {
    expect(await openFollowers({ ...batch, metadata: null }, { files: createMemoryFileStore() })).toBeNull();
  });
});

async function put(files: ReturnType<typeof createMemoryFileStore>, bytes: Buffer): Promise<void> {
  const writer = await files.create(followersKey(batch.id));
  await writer.write([bytes]);
  await writer.commit();
}

async function written(pairs: [line: number, leader: number][]) {
  const files = createMemoryFileStore();
  const writer = await createFollowersWriter(files, followersKey(batch.id));
  const bytes = Buffer.from('{"custom_id":"id"}');
  const request = { idStart: 13, idEnd: 17 } as PlannedLine["request"];
  for (const [i, [line, leader]] of pairs.entries()) {
    writer.add({ line, offset: line * 50, request, bytes }, leader);
    if (i % 5_000 === 0) await writer.flush();
  }
  await writer.commit();
  const followers = await openFollowers(batch, { files });
  if (followers === null) throw new Error("none");
  return { files, followers };
}
