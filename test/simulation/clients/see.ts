import type { BatchObject } from "../../../src/batch/batch.ts";
import { theWorld } from "../world/world.ts";
import type { Ledger } from "./ledger.ts";

/** What may follow what, written down from the contract: a batch that is looked at now and then. */
const order: Record<string, readonly string[]> = {
  validating: ["in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"],
  in_progress: ["finalizing", "completed", "expired", "cancelling", "cancelled"],
  finalizing: ["completed", "cancelling", "cancelled"],
  cancelling: ["cancelled"],
};

const finalStatuses = ["completed", "failed", "expired", "cancelled"];

/**
 * Takes note of a batch as somebody was shown it: it may not have gone back, and once final it never changes.
 * @param askedAt when the request was sent; an answer to an older one may be older than what is known
 */
export function see(ledger: Ledger, batch: BatchObject, askedAt: number): void {
  const world = theWorld();
  const known = ledger.batches.get(batch.id);
  if (known === undefined) return;
  const complain = (what: string) => world.violation(`${batch.id}: ${what}`);
  const now = JSON.stringify(batch);
  if (known.final !== null && finalStatuses.includes(batch.status) && now !== known.final) {
    complain(`changed after it was final: ${known.final} is now ${now}`);
  }
  checkTimes(batch, complain);
  if (askedAt < known.seenAt) return;
  if (known.seen !== null) checkStep(known.seen, batch, complain);
  known.seen = batch;
  known.seenAt = world.now;
  if (finalStatuses.includes(batch.status)) known.final ??= now;
}

function checkStep(before: BatchObject, batch: BatchObject, complain: (what: string) => void): void {
  if (before.status !== batch.status && !order[before.status]?.includes(batch.status)) {
    complain(`went from ${before.status} to ${batch.status}`);
  }
  const [was, is] = [before.request_counts, batch.request_counts];
  if (is.completed < was.completed || is.failed < was.failed || (was.total > 0 && is.total !== was.total)) {
    complain(`counts went from ${JSON.stringify(was)} to ${JSON.stringify(is)}`);
  }
}

function checkTimes(batch: BatchObject, complain: (what: string) => void): void {
  const { status, request_counts: counts } = batch;
  const set = (name: keyof BatchObject) => batch[name] !== null;
  const expected: [keyof BatchObject, boolean][] = [
    ["completed_at", status === "completed"],
    ["failed_at", status === "failed"],
    ["expired_at", status === "expired"],
    ["cancelled_at", status === "cancelled"],
    ["cancelling_at", status === "cancelling" || status === "cancelled"],
    ["errors", status === "failed"],
  ];
  for (const [name, wanted] of expected) {
    if (set(name) !== wanted) complain(`${name} is ${JSON.stringify(batch[name])} in status ${status}`);
  }
  if (status === "completed" && !set("finalizing_at")) complain("completed without finalizing_at");
  if (status === "expired" && set("finalizing_at")) complain("expired with finalizing_at");
  if (counts.completed + counts.failed > counts.total) complain(`counts ${JSON.stringify(counts)}`);
}
