import { NerifError } from "../batch/errors.ts";
import { typeName } from "./type-name.ts";

/**
 * Checks the `limit` of a list. 0 is allowed and asks for an empty page, as at OpenAI.
 *
 * @throws NerifError `invalid_type`, `integer_above_max_value`, `integer_below_min_value`
 */
export function checkLimit(
  limit: unknown,
  { max, default: absent }: { max: number; default: number },
): number {
  if (limit === undefined || limit === null) return absent;
  if (!Number.isInteger(limit)) {
    throw new NerifError(
      "invalid_type",
      `Invalid type for 'limit': expected an integer, but got ${typeName(limit)} instead.`,
      { param: "limit" },
    );
  }
  const value = limit as number;
  if (value > max) {
    throw new NerifError(
      "integer_above_max_value",
      `Invalid 'limit': integer above maximum value. Expected a value <= ${max}, but got ${value} instead.`,
      { param: "limit" },
    );
  }
  if (value < 0) {
    throw new NerifError(
      "integer_below_min_value",
      `Invalid 'limit': integer below minimum value. Expected a value >= 0, but got ${value} instead.`,
      { param: "limit" },
    );
  }
  return value;
}
