import { type Listed, noSuchCursor } from "../batch/cursor.ts";
import { isId } from "../batch/ids.ts";

/** One page of a list. `has_more` is never true on an empty page: clients would ask for ever. */
export interface Page<T> {
  data: T[];
  has_more: boolean;
}

/** Asks for one item more than the page holds, which tells whether there is a next one. */
export async function readPage<T>(limit: number, read: (limit: number) => Promise<T[]>): Promise<Page<T>> {
  if (limit === 0) return { data: [], has_more: false };
  const found = await read(limit + 1);
  return { data: found.slice(0, limit), has_more: found.length > limit };
}

/**
 * What cannot be an id is not looked up, and answered like an unknown one.
 *
 * @throws NerifError `cursor_not_found`
 */
export function checkCursor(kind: Listed, after: string | undefined): void {
  if (after !== undefined && !isId(kind, after)) throw noSuchCursor(kind, after);
}
