import { describe, expect, it } from "vitest";
import { batchStatuses } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { exitCodeOf, exitCodeOfBatch } from "./exit-codes.ts";

describe("exitCodeOf()", () => {
  it.each([
    ["invalid_usage", 2],
    ["invalid_configuration", 2],
    ["input_changed", 2],
    ["output_exists", 2],
    ["executor_running", 2],
    ["upstream_not_configured", 2],
    ["upstream_unreachable", 2],
    ["empty_file", 2],
    ["upstream_account", 5],
    ["disk_full", 1],
    ["storage_unavailable", 1],
    ["internal_error", 1],
  ] as const)("answers %s with %d", (code, exit) => {
    expect(exitCodeOf(new NerifError(code, "Cannot go on: it is a test"))).toBe(exit);
  });

  it("answers what is no NerifError with 1", () => {
    expect(exitCodeOf(new TypeError("x is not a function"))).toBe(1);
  });
});

describe("exitCodeOfBatch()", () => {
  const counts = { total: 3, completed: 3, failed: 0 };
  const expected = { completed: 0, failed: 2, expired: 4, cancelled: 4 } as Record<string, number>;

  it.each(batchStatuses.filter((status) => status in expected))("maps %s", (status) => {
    expect(exitCodeOfBatch({ status, request_counts: counts })).toBe(expected[status]);
  });

  it("is 3 when a completed batch has failed lines", () => {
    const request_counts = { total: 3, completed: 2, failed: 1 };
    expect(exitCodeOfBatch({ status: "completed", request_counts })).toBe(3);
  });
});
