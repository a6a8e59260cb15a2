import { NerifError } from "../batch/errors.ts";
import type { Environment, TextOption } from "./options.ts";
import { requiredVariable } from "./variable.ts";

/** Headers of the configuration, ready to be sent. */
export interface ExtraHeaders {
  /** Names in lower case. */
  readonly byName: ReadonlyMap<string, string>;
  /** Values that come from variables; they must not come back in an answer. */
  readonly secrets: readonly string[];
}

export const noHeaders: ExtraHeaders = { byName: new Map(), secrets: [] };

/** They belong to the connection, or say what Nerif alone knows of a call. */
const own = new Set([
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "idempotency-key",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * @param upstream its name, for messages; values are never repeated there
 * @throws NerifError `invalid_configuration`
 */
export function resolveHeaders(
  headers: Readonly<Record<string, TextOption>> | undefined,
  { upstream, env }: { upstream: string; env: Environment },
): ExtraHeaders {
  const byName = new Map<string, string>();
  const secrets: string[] = [];
  for (const [given, option] of Object.entries(headers ?? {})) {
    const name = given.toLowerCase();
    const refuse = (reason: string) => {
      const what = `header ${JSON.stringify(given.slice(0, 100))} of upstream ${JSON.stringify(upstream)}`;
      return new NerifError("invalid_configuration", `Cannot use ${what}: ${reason}`, { param: "headers" });
    };
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/.test(name)) throw refuse("it is no name of a header");
    if (own.has(name)) throw refuse("it is Nerif's own to set");
    if (byName.has(name)) throw refuse("it is there twice");
    const value = textOf(option, { env, header: given });
    if (!/^[\x20-\x7e]+$/.test(value))
      throw refuse("its value is empty or holds characters that a header cannot carry");
    byName.set(name, value);
    if (typeof option !== "string") secrets.push(...secretsIn(value));
  }
  return { byName, secrets };
}

function textOf(option: TextOption, { env, header }: { env: Environment; header: string }): string {
  if (typeof option === "string") return option.trim();
  return requiredVariable(option.env, { env, what: `its header ${header}`, param: "headers" });
}

/** Behind a scheme such as `Bearer` stands the secret itself. */
function secretsIn(value: string): string[] {
  const behindScheme = /^[A-Za-z]+ +(\S+)$/.exec(value)?.[1];
  return behindScheme === undefined ? [value] : [value, behindScheme];
}
