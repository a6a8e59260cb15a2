import { addTokens, type Tokens, tokensOf } from "../../batch/usage.ts";
import type { ShardTally } from "../../control/control-store.ts";
import { type RecordKind, recordKinds } from "../../journal/journal.ts";

/**
 * Counts one durable result.
 * @param result `tokens`: those of the answer, or the finished result line to read them from
 * @param lines how many lines it is for; its tokens were used once
 */
export function countResult(
  tally: ShardTally,
  { kind, tokens: source }: { kind: RecordKind; tokens: Tokens | Buffer | null },
  lines = 1,
): void {
  if (kind === recordKinds.output) tally.completed += lines;
  if (kind === recordKinds.error) tally.failed += lines;
  const tokens = Buffer.isBuffer(source) ? tokensOfLine(source) : source;
  if (tokens !== null) addTokens(tally.tokens, tokens);
}

function tokensOfLine(payload: Buffer): Tokens | null {
  const line: { response?: { body?: { usage?: unknown } } } = JSON.parse(payload.toString("utf8"));
  return tokensOf(line.response?.body?.usage);
}
