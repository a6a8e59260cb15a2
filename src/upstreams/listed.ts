import { baseUrl } from "./base-url.ts";
import { type ExtraHeaders, noHeaders, resolveHeaders } from "./headers.ts";
import { resolvePriority, resolveYielding } from "./live-traffic.ts";
import type { ConcurrencyOption, Environment, ModelsOption, UpstreamOptions } from "./options.ts";
import { proxyUrl } from "./proxy.ts";
import { checkedTime, unusable } from "./unusable.ts";
import type { Yielding } from "./upstream.ts";
import { requiredVariable } from "./variable.ts";

/** An upstream, its variables read and everything checked. */
export interface ResolvedUpstream {
  name: string;
  url: URL;
  apiKey: string | null;
  /** Null: every model. */
  models: ModelsOption | null;
  concurrency: ConcurrencyOption;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  headers: ExtraHeaders;
  /** Undefined: as for all upstreams. */
  connectTimeoutMs: number | undefined;
  requestTimeoutMs: number | undefined;
  /** Null: none. Undefined: what the environment says. */
  proxy: string | null | undefined;
  caFile: string | null;
  priority: number | null;
  yields: Yielding | undefined;
}

/** An upstream of which no more than these was said. @throws NerifError `invalid_configuration` */
export function plainUpstream(
  known: Pick<ResolvedUpstream, "name" | "url" | "apiKey" | "concurrency">,
): ResolvedUpstream {
  checkConcurrency(known);
  return {
    ...known,
    models: null,
    requestsPerMinute: null,
    tokensPerMinute: null,
    headers: noHeaders,
    connectTimeoutMs: undefined,
    requestTimeoutMs: undefined,
    proxy: undefined,
    caFile: null,
    priority: null,
    yields: undefined,
  };
}

export interface ListedDefaults {
  env: Environment;
  concurrency: ConcurrencyOption;
  /** The key for an upstream that names none. */
  keyFor: (url: URL) => string | null;
}

/** @throws NerifError `invalid_configuration` */
export function resolveListed(options: UpstreamOptions, defaults: ListedDefaults): ResolvedUpstream {
  const { name } = options;
  const { env } = defaults;
  checkLimits(options);
  const url = baseUrl(options.url, `upstream ${JSON.stringify(name)}`);
  const apiKey = options.apiKeyEnv === undefined ? defaults.keyFor(url) : namedKey(options.apiKeyEnv, env);
  return {
    ...plainUpstream({ name, url, apiKey, concurrency: options.concurrency ?? defaults.concurrency }),
    models: options.models ?? null,
    requestsPerMinute: options.limits?.requestsPerMinute ?? null,
    tokensPerMinute: options.limits?.tokensPerMinute ?? null,
    headers: resolveHeaders(options.headers, { upstream: name, env }),
    connectTimeoutMs: checkedTime(options, "connectTimeoutMs"),
    requestTimeoutMs: checkedTime(options, "requestTimeoutMs"),
    proxy: resolveProxy(options, env),
    caFile: options.caFile ?? null,
    priority: resolvePriority(options),
    yields: resolveYielding(options),
  };
}

/** What a configuration file cannot say, a program can: where no call is ever allowed, lines would wait in silence. */
function checkConcurrency({ name, concurrency }: Pick<ResolvedUpstream, "name" | "concurrency">): void {
  if (concurrency === "auto") return;
  const isRange = typeof concurrency === "object";
  const { least, most } = isRange ? concurrency : { least: concurrency, most: concurrency };
  if (Number.isInteger(least) && Number.isInteger(most) && least >= 1 && least <= most) return;
  const rule = isRange
    ? "a range of whole numbers from 1"
    : "auto, a whole number from 1, or a range of these";
  throw unusable(name, `its concurrency is ${isRange ? `${least} to ${most}` : least} and must be ${rule}`);
}

function checkLimits({ name, limits }: UpstreamOptions): void {
  for (const key of ["requestsPerMinute", "tokensPerMinute"] as const) {
    const limit = limits?.[key];
    if (limit !== undefined && limit !== null && !(limit > 0 && Number.isFinite(limit)))
      throw unusable(name, `limits.${key} is ${limit} and must be more than 0`);
  }
}

/** @throws NerifError `invalid_configuration` when the variable is not set */
export function namedKey(name: string, env: Environment): string {
  return requiredVariable(name, { env, what: "its key", param: "upstream_api_key_env" });
}

function resolveProxy(options: UpstreamOptions, env: Environment): string | null | undefined {
  const { proxy } = options;
  if (proxy === undefined || proxy === "none") return proxy === undefined ? undefined : null;
  const text =
    typeof proxy === "string"
      ? proxy
      : requiredVariable(proxy.env, { env, what: "its proxy", param: "proxy" });
  const url = proxyUrl(text);
  // The value stays out of the message: it may hold a password.
  if (url === null) throw unusable(options.name, "its proxy is no http or https URL");
  if (typeof proxy === "string" && (url.username !== "" || url.password !== "")) {
    throw unusable(
      options.name,
      "the URL of its proxy holds credentials; put it into a variable and name that with env",
    );
  }
  return url.href;
}
