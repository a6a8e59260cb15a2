import { z } from "zod";

/** Where a page begins; null and absent are the same in every parameter of a list. */
export const afterParam = z
  .string()
  .nullish()
  .transform((after) => after ?? undefined)
  .describe("The id of the last item that is known already.");

/** How long a page is. Where 0 is allowed it asks for an empty page, as at OpenAI. */
export function limitParam({ min, max, default: absent }: { min: number; max: number; default: number }) {
  return z
    .int()
    .min(min)
    .max(max)
    .nullish()
    .meta({ default: absent })
    .transform((limit) => limit ?? absent)
    .describe("How many items a page has at most.");
}
