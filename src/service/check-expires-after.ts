import { NerifError } from "../batch/errors.ts";
import { limits } from "../batch/limits.ts";
import { isRecord, typeName } from "./type-name.ts";

export interface ExpiresAfter {
  anchor: "created_at";
  /** From 3,600 to 2,592,000. */
  seconds: number;
}

/**
 * Checks the value of `expires_after` or `output_expires_after`; null when it is absent.
 *
 * @param param name of the field, for messages
 * @throws NerifError `missing_required_parameter`, `invalid_type`, `invalid_value`, `integer_above_max_value`,
 *   `integer_below_min_value`
 */
export function checkExpiresAfter(value: unknown, param: string): ExpiresAfter | null {
  if (value === undefined || value === null) return null;
  if (!isRecord(value)) {
    throw new NerifError(
      "invalid_type",
      `Invalid type for '${param}': expected an object, but got ${typeName(value)} instead.`,
      { param },
    );
  }
  for (const key of ["anchor", "seconds"] as const) {
    if (value[key] === undefined || value[key] === null) {
      throw new NerifError("missing_required_parameter", `Missing required parameter: '${param}.${key}'.`, {
        param: `${param}.${key}`,
      });
    }
  }
  if (value.anchor !== "created_at") {
    throw new NerifError(
      "invalid_value",
      `Invalid value: '${String(value.anchor).slice(0, 80)}'. Supported values are: 'created_at'.`,
      { param: `${param}.anchor` },
    );
  }
  return { anchor: "created_at", seconds: checkSeconds(value.seconds, `${param}.seconds`) };
}

function checkSeconds(seconds: unknown, param: string): number {
  if (!Number.isInteger(seconds)) {
    throw new NerifError(
      "invalid_type",
      `Invalid type for '${param}': expected an integer, but got ${typeName(seconds)} instead.`,
      { param },
    );
  }
  const { min, max } = limits.expiresAfter;
  const value = seconds as number;
  if (value > max) {
    throw new NerifError(
      "integer_above_max_value",
      `Invalid '${param}': integer above maximum value. Expected a value <= ${max}, but got ${value} instead.`,
      { param },
    );
  }
  if (value < min) {
    throw new NerifError(
      "integer_below_min_value",
      `Invalid '${param}': integer below minimum value. Expected a value >= ${min}, but got ${value} instead.`,
      { param },
    );
  }
  return value;
}
