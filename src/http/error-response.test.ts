import { describe, expect, it } from "vitest";
import { type ErrorCode, NerifError } from "../batch/errors.ts";
import { errorResponse } from "./error-response.ts";

describe("errorResponse()", () => {
  it.each<[ErrorCode, number]>([
    ["disk_full", 507],
    ["data_damaged", 500],
    ["quota_exceeded", 429],
    ["file_in_use", 409],
    ["webhook_unreachable", 502],
  ])("tells clients not to repeat what a repeat cannot mend: %s", (code, status) => {
    const response = errorResponse(new NerifError(code, "Cannot do it"));
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([status, "false"]);
  });

  it.each<ErrorCode>(["storage_unavailable", "rate_limit_exceeded", "shutting_down", "internal_error"])(
    "leaves it to clients whether they repeat after %s",
    (code) => {
      expect(errorResponse(new NerifError(code, "Cannot do it")).headers.has("x-should-retry")).toBe(false);
    },
  );
});
