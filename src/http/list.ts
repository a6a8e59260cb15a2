import { z } from "zod";
import { NerifError } from "../batch/errors.ts";
import type { RequestContext } from "./environment.ts";

/** The list envelope of the OpenAI API; the ids are null on an empty page. */
export interface ListObject<T> {
  object: "list";
  data: T[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

export function listObject<T extends { id: string }>({
  data,
  has_more,
}: {
  data: T[];
  has_more: boolean;
}): ListObject<T> {
  return {
    object: "list",
    data,
    first_id: data.at(0)?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more,
  };
}

/**
 * The query of a request as parameters for a schema to check. All of a query is text: where the schema has a number
 * and the text is one, it becomes one. What is empty counts as absent, and names that the schema does not have are
 * left out, since clients of other servers send some of their own (`api-version`).
 */
export function queryParams(context: RequestContext, schema: z.ZodObject): Record<string, unknown> {
  const params: Record<string, unknown> = {};
  for (const [name, type] of Object.entries(schema.shape)) {
    const text = context.req.query(name);
    if (text === undefined || text === "") continue;
    params[name] = isNumber(type) && /^-?\d{1,99}$/.test(text) ? Number(text) : text;
  }
  return params;
}

function isNumber(type: z.core.$ZodType): boolean {
  if (type instanceof z.ZodPipe) return isNumber(type.in);
  if (type instanceof z.ZodOptional || type instanceof z.ZodNullable || type instanceof z.ZodDefault) {
    return isNumber(type.unwrap());
  }
  return type instanceof z.ZodNumber;
}

/**
 * The pairs in query parameters like `metadata[team]=search`; undefined when there are none.
 *
 * @throws NerifError `invalid_type` for a parameter without brackets, `invalid_value` when a key is there twice
 */
export function pairsQuery(context: RequestContext, name: string): Record<string, string> | undefined {
  const pairs = new Map<string, string>();
  for (const [parameter, value] of new URL(context.req.url).searchParams) {
    if (parameter === name) {
      throw new NerifError(
        "invalid_type",
        `Invalid type for '${name}': expected an object, but got a string instead. Write ${name}[key]=value.`,
        { param: name },
      );
    }
    if (!parameter.startsWith(`${name}[`) || !parameter.endsWith("]")) continue;
    const key = parameter.slice(name.length + 1, -1);
    if (pairs.has(key)) {
      const param = `${name}.${key.slice(0, 80)}`;
      throw new NerifError("invalid_value", `Invalid value for '${param}': it is there twice.`, { param });
    }
    pairs.set(key, value);
  }
  return pairs.size === 0 ? undefined : Object.fromEntries(pairs);
}
