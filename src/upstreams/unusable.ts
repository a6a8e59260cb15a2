import { NerifError } from "../batch/errors.ts";
import type { UpstreamOptions } from "./options.ts";

/** The error for an upstream that is configured in a way that cannot work. */
export function unusable(name: string, reason: string): NerifError {
  return new NerifError("invalid_configuration", `Cannot use upstream ${JSON.stringify(name)}: ${reason}`, {
    param: "upstreams",
  });
}

/** @throws NerifError `invalid_configuration` */
export function checkedTime(
  options: UpstreamOptions,
  key: "connectTimeoutMs" | "requestTimeoutMs" | "targetLatencyMs",
): number | undefined {
  const ms = options[key];
  if (ms === undefined || ms > 0) return ms;
  throw unusable(options.name, `its ${key} is ${ms} and must be more than 0`);
}
