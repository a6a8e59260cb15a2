import { NerifError } from "../batch/errors.ts";
import { typeName } from "./type-name.ts";

// What is wrong with a parameter, in OpenAI's words.

export function missingParameter(param: string): NerifError {
  return new NerifError("missing_required_parameter", `Missing required parameter: '${param}'.`, { param });
}

/** @param name as the client sent it, however long */
export function unknownParameter(name: string): NerifError {
  const param = name.slice(0, 80);
  return new NerifError("unknown_parameter", `Unknown parameter: '${param}'.`, { param });
}

/** @param expected with its article: `an object` */
export function wrongType(
  value: unknown,
  { param, expected }: { param: string; expected: string },
): NerifError {
  const message = `Invalid type for '${param}': expected ${expected}, but got ${typeName(value)} instead.`;
  return new NerifError("invalid_type", message, { param });
}

/** The refusal of a value that is not one of a few. */
export function unsupported(
  value: unknown,
  { param, supported }: { param: string; supported: readonly string[] },
): NerifError {
  if (value === undefined || value === null) return missingParameter(param);
  if (typeof value !== "string") return wrongType(value, { param, expected: "a string" });
  const message = `Invalid value: '${value.slice(0, 80)}'. Supported values are: ${listed(supported)}.`;
  return new NerifError("invalid_value", message, { param });
}

/** `'a'`, `'a' and 'b'`, `'a', 'b', and 'c'` */
function listed(values: readonly string[]): string {
  const names = values.map((name) => `'${name}'`);
  const last = names.pop() ?? "";
  if (names.length === 0) return last;
  return names.length === 1 ? `${names[0]} and ${last}` : `${names.join(", ")}, and ${last}`;
}
