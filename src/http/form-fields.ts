import { unknownParameter } from "../service/refusals.ts";

/**
 * Refuses a form that has a field beside those that are known.
 *
 * @throws NerifError `unknown_parameter`
 */
export function refuseOtherFields(
  fields: ReadonlyMap<string, string>,
  known: ReadonlySet<string> = new Set(),
): void {
  for (const name of fields.keys()) {
    if (!known.has(name)) throw unknownParameter(name);
  }
}
