import type { Batch, Ending } from "../../batch/batch.ts";
import { copiedLine, failureLine, neverRunError } from "../../batch/result-line.ts";
import type { Shard } from "../../control/control-store.ts";
import type { FileReader } from "../../files/file-store.ts";
import type { Followers } from "../plan/followers.ts";
import type { Follower } from "../plan/followers-file.ts";
import { type LineBytes, readLines } from "../plan/line-bytes.ts";
import type { IndexedResult } from "../plan/shard-index.ts";
import { createKeptResults, type KeptResult } from "./kept-results.ts";
import type { OpenSegments } from "./open-segments.ts";
import type { OrderedResult } from "./result-order.ts";

/** Results that are given at once, by number and by bytes. */
const mostAtOnce = 256;
const bytesAtOnce = 8 * 1024 * 1024;

/** The results of lines that get the answers of others, in input order. */
export interface FollowerResults {
  /** Notes where the result of a line is. To be called for each line that has one, before its followers are asked for. */
  note(line: number, shard: Shard, result: IndexedResult): void;
  /** The results of the follower `line` and those right behind it, some of them at least; none if it is no follower. */
  takeRun(line: number): Promise<OrderedResult[]>;
}

interface FollowerOptions {
  batch: Batch;
  ending: Ending;
  followers: Followers;
  segments: OpenSegments;
  input: FileReader;
}

export function createFollowerResults(options: FollowerOptions): FollowerResults {
  const { batch, ending, followers, segments, input } = options;
  const kept = createKeptResults({ count: followers.leaders, segments, upcoming: followers.ranks });
  const blocks = followers.inOrder();
  let block: Follower[] = [];
  /** Of the block, and the number of those before it. */
  let next = 0;
  let before = 0;

  function resultOf({ record, customId }: LineBytes, result: KeptResult | null): OrderedResult {
    const name = { batchId: batch.id, line: record.line, customId };
    if (result !== null) return { kind: result.kind, payload: copiedLine(result.payload, name) };
    // Only where a batch was ended early: else the order of results ends at the leader that has none.
    const error = neverRunError(ending === "completed" ? "cancelled" : ending);
    return { kind: null, payload: failureLine(name, null, error) };
  }

  return {
    note(line, shard, result) {
      const rank = followers.rankOf(line);
      if (rank !== -1) kept.note(rank, shard, result);
    },
    async takeRun(line) {
      if (next === block.length) {
        before += block.length;
        const more = await blocks.next();
        block = more.done ? [] : more.value;
        next = 0;
      }
      let until = next;
      while (until - next < mostAtOnce && block[until]?.record.line === line + until - next) until += 1;
      const run = block.slice(next, until);
      const lines = await readLines(
        input,
        run.map(({ record }) => record),
        0,
      );
      const ranks = run.slice(0, lines.length).map(({ leader }) => followers.rankOf(leader));
      const answers = await kept.read({ first: before + next, ranks });
      const results: OrderedResult[] = [];
      let bytes = 0;
      for (const [nth, answer] of answers.entries()) {
        const result = resultOf(lines[nth] as LineBytes, answer);
        results.push(result);
        for (const piece of result.payload) bytes += piece.length;
        if (bytes > bytesAtOnce) break;
      }
      next += results.length;
      return results;
    },
  };
}
