import type { z } from "zod";
import { NerifError } from "../batch/errors.ts";
import { missingParameter, unknownParameter, unsupported, wrongType } from "./refusals.ts";
import { typeName } from "./type-name.ts";

type Issue = z.core.$ZodRawIssue & { input?: unknown };

/**
 * Checks parameters against their schema, which is also what the API's own description shows, and refuses the
 * first that does not fit in OpenAI's words.
 *
 * @param action what is to be done with them, as in "Cannot <action>"
 * @throws NerifError `missing_required_parameter`, `unknown_parameter`, `invalid_type`, `invalid_value`, and those of
 *   limits
 */
export function parseParams<S extends z.ZodType>(schema: S, value: unknown, action: string): z.output<S> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw refusal(decisive(result.error.issues as Issue[]), action);
}

/** The first; of a number that is out of all bounds the last about it, since zod first names what JavaScript can hold. */
function decisive(issues: readonly Issue[]): Issue {
  const [first] = issues;
  if (first === undefined) throw new TypeError("zod refused without an issue");
  const same = ({ code, path }: Issue) => code === first.code && pathOf(path) === pathOf(first.path);
  const isBound = first.code === "too_big" || first.code === "too_small";
  return (isBound ? issues.findLast(same) : undefined) ?? first;
}

function refusal(issue: Issue, action: string): NerifError {
  const param = pathOf(issue.path);
  switch (issue.code) {
    case "invalid_type":
      return mistyped(issue, { param, action });
    case "invalid_value":
      return unsupported(issue.input, { param, supported: issue.values.map(String) });
    case "unrecognized_keys": {
      const unknown = [param, ...issue.keys.slice(0, 1)].filter((part) => part !== "").join(".");
      return unknownParameter(unknown);
    }
    case "too_big":
    case "too_small":
      return outOfBounds(issue, param);
    default:
      return new NerifError("invalid_value", `Invalid value for '${param}': ${issue.message}`, { param });
  }
}

function mistyped(
  issue: Issue & { code: "invalid_type" },
  { param, action }: { param: string; action: string },
): NerifError {
  const { input, expected } = issue;
  const wanted = typeNames[expected] ?? `a ${expected}`;
  if (param === "") {
    return new NerifError("invalid_type", `Cannot ${action}: expected ${wanted}, but got ${typeName(input)}`);
  }
  // In an array, what is null is there.
  const isElement = typeof issue.path?.at(-1) === "number";
  if (!isElement && (input === undefined || input === null)) return missingParameter(param);
  return wrongType(input, { param, expected: wanted });
}

const typeNames: Record<string, string> = {
  int: "an integer",
  // Every number among the parameters is a whole one; zod says so only of one that is not.
  number: "an integer",
  object: "an object",
  record: "an object",
  array: "an array",
};

function outOfBounds(issue: Issue & { code: "too_big" | "too_small" }, param: string): NerifError {
  const tooBig = issue.code === "too_big";
  const bound = Number(tooBig ? issue.maximum : issue.minimum);
  const [code, message] = boundsText({ ...issue, tooBig, bound });
  return new NerifError(code, `Invalid '${param}': ${message}`, { param });
}

function boundsText({
  origin,
  input,
  tooBig,
  bound,
}: {
  origin: string;
  input?: unknown;
  tooBig: boolean;
  bound: number;
}): [NerifError["code"], string] {
  const size = sizeOf(input);
  const limit = `${tooBig ? "maximum" : "minimum"} length ${bound}`;
  switch (origin) {
    case "string":
      return [
        tooBig ? "string_above_max_length" : "string_below_min_length",
        `string too ${tooBig ? "long" : "short"}. Expected a string with ${limit}, but got a string with length ${size} instead.`,
      ];
    case "array":
      return [
        tooBig ? "array_above_max_length" : "empty_array",
        `array too ${tooBig ? "long" : "short"}. Expected an array with ${limit}, but got an array with length ${size} instead.`,
      ];
    default:
      return [
        tooBig ? "integer_above_max_value" : "integer_below_min_value",
        `integer ${tooBig ? "above maximum" : "below minimum"} value. Expected a value ${tooBig ? "<=" : ">="} ${bound}, but got ${size} instead.`,
      ];
  }
}

/** Of a text its characters, as the limit counts them, not its UTF-16 units. */
function sizeOf(input: unknown): number | string {
  if (typeof input === "string") return [...input].length;
  return Array.isArray(input) ? input.length : String(input);
}

/** `metadata.team`, `event_types[0]` */
function pathOf(path: readonly PropertyKey[] = []): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}
