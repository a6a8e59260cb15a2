import { NerifError } from "../batch/errors.ts";
import type { RequestContext } from "./environment.ts";

/** The list envelope of the OpenAI API. */
export function listObject<T extends { id: string }>({ data, has_more }: { data: T[]; has_more: boolean }) {
  return {
    object: "list",
    data,
    first_id: data.at(0)?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more,
  };
}

/**
 * The number in a query parameter; undefined when it is absent.
 *
 * @throws NerifError `invalid_type`
 */
export function integerQuery(context: RequestContext, name: string): number | undefined {
  const text = context.req.query(name);
  if (text === undefined || text === "") return undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new NerifError(
    "invalid_type",
    `Invalid type for '${name}': expected an integer, but got a string instead.`,
    { param: name },
  );
}

/** A query parameter; undefined when it is absent or empty. */
export function textQuery(context: RequestContext, name: string): string | undefined {
  return context.req.query(name) || undefined;
}
