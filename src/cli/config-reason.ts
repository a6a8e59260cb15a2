import type { z } from "zod";
import { typeName } from "../service/type-name.ts";

/**
 * What is wrong with a value of a configuration file, for schemas that do not say it themselves. A text may be a key, and
 * is never repeated.
 */
export function configReason(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "it is missing";
      return `it must be ${kinds[issue.expected] ?? `a ${issue.expected}`}, not ${typeName(issue.input)}`;
    case "too_small":
      if (issue.origin === "string" || issue.origin === "array") return "it is empty";
      return `it must be ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}, not ${issue.input}`;
    case "too_big":
      return `it must be at most ${issue.maximum}, not ${issue.input}`;
    default:
      // Whatever the schema, or else the library, says.
      return undefined;
  }
}

const kinds: Record<string, string> = {
  string: "text",
  int: "a whole number",
  array: "a list",
  object: "keys and values",
  record: "keys and values",
  boolean: "true or false",
};
