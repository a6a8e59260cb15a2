import { z } from "zod";
import { limits } from "../batch/limits.ts";

const { min, max } = limits.expiresAfter;

/** The value of `expires_after` and `output_expires_after`; null and absent are the same. */
export const expiresAfter = z
  .strictObject({ anchor: z.literal("created_at"), seconds: z.int().min(min).max(max) })
  .nullish()
  .transform((value) => value ?? null);

export type ExpiresAfter = NonNullable<z.output<typeof expiresAfter>>;
