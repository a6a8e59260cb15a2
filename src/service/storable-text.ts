import { z } from "zod";

/**
 * Text of a client that is kept in the control store. PostgreSQL keeps no NUL character, and no database keeps half of
 * a surrogate pair: it would come back as another text than was acknowledged.
 */
export function storableText(longest: number) {
  return z.string().min(1).max(longest).refine(isStorable, unstorable);
}

/** Why a text was refused. */
const unstorable = "it has a NUL character or half of a surrogate pair";

function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}
