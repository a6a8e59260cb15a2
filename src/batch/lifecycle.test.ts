import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aBatch } from "../../test/support/batch.ts";
import { type Batch, batchStatuses } from "./batch.ts";
import { advance, type BatchEvent, isFinal, transitions } from "./lifecycle.ts";

const result_files = { output: "file-output", error: "file-error" };
const written: BatchEvent = {
  type: "written",
  output_file_id: "file-output",
  error_file_id: null,
  completed: 2,
  failed: 1,
  usage: null,
};

function follow(events: BatchEvent[], from: Batch = aBatch()): Batch {
  let batch = from;
  for (const [i, event] of events.entries()) batch = { ...batch, ...advance(batch, event, 1000 + i) };
  return batch;
}

describe("advance()", () => {
  test("leads a batch to completed and sets each timestamp once", () => {
    const done = follow([{ type: "validated", total: 3, model: "m" }, { type: "executed" }, written]);
    expect(done).toMatchObject({
      status: "completed",
      in_progress_at: 1000,
      finalizing_at: 1001,
      completed_at: 1002,
      expired_at: null,
      cancelled_at: null,
      model: "m",
      output_file_id: "file-output",
      error_file_id: null,
      request_counts: { total: 3, completed: 2, failed: 1 },
    });
  });

  test("keeps total 0 and no file when validation refuses", () => {
    const errors = [{ code: "invalid_json_line", line: 1, message: "", param: null }];
    expect(follow([{ type: "rejected", errors }])).toMatchObject({
      status: "failed",
      failed_at: 1000,
      in_progress_at: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
      errors,
    });
  });

  test("leaves finalizing_at null on the way to expired and to cancelled", () => {
    const running = follow([{ type: "validated", total: 3, model: null }]);
    expect(follow([{ type: "window_over" }, written], running)).toMatchObject({
      status: "expired",
      expired_at: 1001,
      finalizing_at: null,
    });
    expect(follow([{ type: "cancel" }, { type: "drained" }, written], running)).toMatchObject({
      status: "cancelled",
      cancelling_at: 1000,
      cancelled_at: 1002,
      finalizing_at: null,
    });
  });

  test("completes a batch whose window ends while it is finalizing, and cancels one that is cancelling", () => {
    const finalizing = follow([{ type: "validated", total: 3, model: null }, { type: "executed" }]);
    expect(advance(finalizing, { type: "window_over" }, 5)).toBeNull();
    expect(follow([written], finalizing).status).toBe("completed");
    const cancelling = follow([{ type: "cancel" }]);
    expect(advance(cancelling, { type: "window_over" }, 5)).toBeNull();
  });

  test("lets a cancel overtake finalizing and draws new result files for it", () => {
    const cancelled = follow([
      { type: "validated", total: 3, model: null },
      { type: "executed" },
      { type: "writing", result_files },
      { type: "cancel" },
    ]);
    expect(cancelled).toMatchObject({ status: "cancelling", ending: null, result_files: null });
  });

  test("ignores every event on a final batch", () => {
    for (const status of batchStatuses.filter(isFinal)) {
      const batch = aBatch({ status });
      for (const event of someEvents.filter((e) => e.type !== "written")) {
        expect(advance(batch, event, 1)).toBeNull();
      }
    }
  });

  test("never leaves the table of transitions, whatever the order of events", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...someEvents), { maxLength: 12 }), (events) => {
        let batch = aBatch();
        for (const event of events) {
          const patch = isFinal(batch.status) ? null : advance(batch, event, 7);
          const next = { ...batch, ...patch };
          if (next.status !== batch.status) expect(transitions[batch.status]).toContain(next.status);
          batch = next;
        }
        const ends = [batch.completed_at, batch.failed_at, batch.expired_at, batch.cancelled_at];
        expect(ends.filter((at) => at !== null)).toHaveLength(isFinal(batch.status) ? 1 : 0);
      }),
    );
  });
});

const someEvents: BatchEvent[] = [
  { type: "validated", total: 3, model: null },
  { type: "rejected", errors: [] },
  { type: "executed" },
  { type: "window_over" },
  { type: "cancel" },
  { type: "drained" },
  { type: "writing", result_files },
  written,
];
