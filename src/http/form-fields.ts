import { NerifError } from "../batch/errors.ts";

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
    if (known.has(name)) continue;
    const param = name.slice(0, 80);
    throw new NerifError("unknown_parameter", `Unknown parameter: '${param}'.`, { param });
  }
}
