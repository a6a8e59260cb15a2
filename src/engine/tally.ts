import { addTokens, type Tokens, tokensOf } from "../batch/usage.ts";
import type { ShardTally } from "../control/control-store.ts";
import { type RecordKind, recordKinds } from "../journal/journal.ts";

/**
 * Counts one durable result.
 * @param source the tokens of the answer, or the finished result line to read them from
 */
export function countResult(tally: ShardTally, kind: RecordKind, source: Tokens | Buffer | null): void {
  if (kind === recordKinds.output) tally.completed += 1;
  if (kind === recordKinds.error) tally.failed += 1;
  const tokens = Buffer.isBuffer(source) ? tokensOfLine(source) : source;
  if (tokens !== null) addTokens(tally.tokens, tokens);
}

function tokensOfLine(payload: Buffer): Tokens | null {
  const line: { response?: { body?: { usage?: unknown } } } = JSON.parse(payload.toString("utf8"));
  return tokensOf(line.response?.body?.usage);
}
