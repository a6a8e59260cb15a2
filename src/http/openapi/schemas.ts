import { z } from "zod";
import type { ListObject } from "../list.ts";

/** The schemas that the document shows under a name of their own, and refers to by it. */
export const components: z.core.$ZodRegistry<{ id: string }> = z.registry<{ id: string }>();

/** Gives a schema a name in the document. */
export function named<S extends z.ZodType>(id: string, schema: S): S {
  components.add(schema, { id });
  return schema;
}

/**
 * The schema of an object that Nerif answers with. `tsc` refuses a shape that has a field more or less than the
 * interface, or a field of another type. Clients must expect further fields in the future.
 */
export function objectOf<T extends object>(id: string, shape: ShapeOf<T>): z.ZodType<T> {
  // The shape has a schema for each key of T, which the type of `z.object` cannot tell of a type it does not know.
  return named(id, z.object(shape as z.ZodRawShape) as unknown as z.ZodType<T>);
}

/** A schema for each field; an optional one for a field that may be absent. */
export type ShapeOf<T> = {
  [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? z.ZodOptional<z.ZodType<Exclude<T[K], undefined>>>
    : z.ZodType<T[K]>;
};

/** The envelope of a list with pages. */
export function listOf<T>(id: string, item: z.ZodType<T>): z.ZodType<ListObject<T>> {
  return objectOf<ListObject<T>>(id, {
    object: z.literal("list"),
    data: z.array(item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  });
}

export const unixTime: z.ZodType<number> = z.int().nonnegative().describe("Unix time in seconds.");

export const count: z.ZodType<number> = z.int().nonnegative();
