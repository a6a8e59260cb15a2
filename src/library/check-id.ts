import { NerifError } from "../batch/errors.ts";
import { typeName } from "../service/type-name.ts";

/** An id as a caller without types may give it: text, whatever is in it. @throws NerifError `invalid_type` */
export function checkId(value: unknown, param: string): string {
  if (typeof value === "string") return value;
  const reason = `expected a string, but got ${typeName(value)} instead`;
  throw new NerifError("invalid_type", `Invalid type for '${param}': ${reason}.`, { param });
}
