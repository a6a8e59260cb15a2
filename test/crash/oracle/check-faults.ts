import { type AttemptRules, checkAttempts } from "./check-attempts.ts";
import { byDigest } from "./check-calls.ts";
import { type CheckedCounts, checkResults, type Results } from "./check-results.ts";
import type { FaultCall } from "./fault-witness.ts";
import type { KnownRequest } from "./requests.ts";

/** Holds the results of a batch whose upstream failed on purpose against what it did (I3, I4, I5). */
export function checkFaults(
  requests: readonly KnownRequest[],
  results: Results,
  { calls, rules }: { calls: readonly FaultCall[]; rules: AttemptRules },
): { violations: string[]; counts: CheckedCounts } {
  const { violations, counts } = checkResults(requests, results, { byDigest: byDigest(calls), seed: 0 });
  const endings = new Map<string, string>();
  for (const text of [results.output, results.errors]) {
    for (const line of (text ?? "").split("\n").filter((line) => line !== "")) {
      const { custom_id, error } = JSON.parse(line) as { custom_id: string; error: { code: string } | null };
      endings.set(custom_id, error?.code ?? "ok");
      const status = /^upstream_http_(\d+)$/.exec(error?.code ?? "")?.[1];
      const body = `"body":{"error":{"message":"status ${status}","type":"t","code":null}}`;
      if (status !== undefined && !line.includes(body))
        violations.push(`I4 ${custom_id}: not the answer: ${line}`);
    }
  }
  return { violations: [...violations, ...checkAttempts(requests, { calls, endings, rules })], counts };
}
