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

/**
 * Whether a query parameter is `true`; an absent one is `false`.
 *
 * @throws NerifError `invalid_value` for anything else
 */
export function booleanQuery(context: RequestContext, name: string): boolean {
  const text = context.req.query(name) || "false";
  if (text === "true" || text === "false") return text === "true";
  const message = `Invalid value: '${text.slice(0, 80)}'. Supported values are: 'true' and 'false'.`;
  throw new NerifError("invalid_value", message, { param: name });
}

/** A query parameter; undefined when it is absent or empty. */
export function textQuery(context: RequestContext, name: string): string | undefined {
  return context.req.query(name) || undefined;
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
