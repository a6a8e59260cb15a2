import { NerifError } from "../batch/errors.ts";
import type { Environment } from "./options.ts";

/** The value of an environment variable, without the space around it. One that is empty counts as one that is not set. */
export function variable(name: string, env: Environment): string | undefined {
  const value = env[name]?.trim();
  return value === "" ? undefined : value;
}

/**
 * @param what what the variable holds, for the message: `its key`
 * @throws NerifError `invalid_configuration` when it is not set
 */
export function requiredVariable(
  name: string,
  { env, what, param }: { env: Environment; what: string; param: string },
): string {
  const value = variable(name, env);
  if (value !== undefined) return value;
  throw new NerifError(
    "invalid_configuration",
    `Cannot use the upstream: the variable ${name}, which should hold ${what}, is not set`,
    { param },
  );
}
