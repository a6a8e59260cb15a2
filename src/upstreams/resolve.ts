import { NerifError } from "../batch/errors.ts";

/** One model server of the configuration (`upstreams:` in `nerif.config.yaml`). */
export interface UpstreamOptions {
  /** Unique; shown in progress and logs, and recorded with batches. */
  name: string;
  /** Base URL, as an OpenAI client takes it: `http://localhost:8000/v1`. */
  url: string;
  /** Name of the environment variable that holds the key. Default: none, and no key is sent. */
  apiKeyEnv?: string | undefined;
  /** Globs over the model of a line. Default: every model. */
  models?: readonly string[] | undefined;
  /** Calls in flight at once: a fixed number, a range within which it is learned, or `auto`. Default `auto`. */
  concurrency?: ConcurrencyOption | undefined;
  /** What the upstream may be asked for in any minute, over all models. Default: no limit. */
  limits?: { requestsPerMinute?: number | undefined; tokensPerMinute?: number | undefined } | undefined;
}

export type ConcurrencyOption = number | { least: number; most: number } | "auto";

export interface UpstreamChoice {
  /** Base URL of the only upstream. */
  upstream?: string | undefined;
  /** Name of the variable that holds the key of that only upstream, wherever its URL comes from. */
  upstreamApiKeyEnv?: string | undefined;
  upstreams?: readonly UpstreamOptions[] | undefined;
  concurrency?: ConcurrencyOption | undefined;
  /** True in `nerif serve`: its users set `OPENAI_BASE_URL` to reach Nerif itself. Default false. */
  ignoreOpenAIBaseUrl?: boolean | undefined;
}

export interface ResolvedUpstream {
  name: string;
  url: URL;
  apiKey: string | null;
  /** Null: every model. */
  models: readonly string[] | null;
  concurrency: ConcurrencyOption;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const openAIUrl = "https://api.openai.com/v1";

/**
 * The upstreams that lines go to. The first of these that is there decides: `upstream`, `upstreams`, and from the
 * environment `NERIF_UPSTREAM`, `OPENAI_BASE_URL`, `OPENAI_API_KEY` (then it is OpenAI's own API).
 *
 * A key goes only where its owner meant it to go: the variable named for an upstream, else `NERIF_UPSTREAM_API_KEY`
 * to the one that `upstream` or `NERIF_UPSTREAM` names, else `OPENAI_API_KEY` to `OPENAI_BASE_URL` and to
 * api.openai.com, and to nobody else.
 *
 * @throws NerifError `upstream_not_configured` when none is there, `invalid_configuration` when one cannot be used
 */
export function resolveUpstreams(choice: UpstreamChoice, env: Environment): ResolvedUpstream[] {
  const only = onlyUpstream(choice, env);
  const concurrency = choice.concurrency ?? "auto";
  if (only !== null)
    return [
      {
        ...{ name: URL.parse(`${only.url}`)?.host ?? "upstream", ...only, models: null, concurrency },
        ...{ requestsPerMinute: null, tokensPerMinute: null },
      },
    ];
  if (choice.upstreams === undefined || choice.upstreams.length === 0) throw notConfigured(choice);
  checkNames(choice.upstreams);
  return choice.upstreams.map((options) => {
    const url = baseUrl(options.url, `upstream ${JSON.stringify(options.name)}`);
    return {
      name: options.name,
      url,
      apiKey: options.apiKeyEnv === undefined ? openAIKeyFor(url, env) : namedKey(options.apiKeyEnv, env),
      models: options.models ?? null,
      concurrency: options.concurrency ?? concurrency,
      requestsPerMinute: options.limits?.requestsPerMinute ?? null,
      tokensPerMinute: options.limits?.tokensPerMinute ?? null,
    };
  });
}

function onlyUpstream(choice: UpstreamChoice, env: Environment): { url: URL; apiKey: string | null } | null {
  const named = choice.upstreamApiKeyEnv ?? set(env.NERIF_UPSTREAM_API_KEY_ENV);
  const key = (otherwise: string | null) => (named === undefined ? otherwise : namedKey(named, env));

  const given = choice.upstream ?? (hasList(choice) ? undefined : set(env.NERIF_UPSTREAM));
  if (given !== undefined) {
    const url = baseUrl(given, choice.upstream === undefined ? "NERIF_UPSTREAM" : "the upstream");
    return { url, apiKey: key(set(env.NERIF_UPSTREAM_API_KEY) ?? openAIKeyFor(url, env)) };
  }
  if (hasList(choice)) return null;

  const openAIKey = set(env.OPENAI_API_KEY);
  const openAIBase = choice.ignoreOpenAIBaseUrl === true ? undefined : set(env.OPENAI_BASE_URL);
  if (openAIBase !== undefined) {
    return { url: baseUrl(openAIBase, "OPENAI_BASE_URL"), apiKey: key(openAIKey ?? null) };
  }
  return openAIKey === undefined ? null : { url: new URL(openAIUrl), apiKey: key(openAIKey) };
}

function hasList(choice: UpstreamChoice): boolean {
  return choice.upstreams !== undefined && choice.upstreams.length > 0;
}

/** OpenAI's key belongs to OpenAI, and to the server that `OPENAI_BASE_URL` put in its place. */
function openAIKeyFor(url: URL, env: Environment): string | null {
  const base = set(env.OPENAI_BASE_URL);
  const trusted = [openAIUrl, ...(base !== undefined && URL.canParse(base) ? [base] : [])];
  return trusted.some((text) => new URL(text).origin === url.origin)
    ? (set(env.OPENAI_API_KEY) ?? null)
    : null;
}

function namedKey(variable: string, env: Environment): string {
  const key = set(env[variable]);
  if (key !== undefined) return key;
  throw new NerifError(
    "invalid_configuration",
    `Cannot use the upstream: the variable ${variable}, which should hold its key, is not set`,
    { param: "upstream_api_key_env" },
  );
}

function baseUrl(text: string, what: string): URL {
  const url = URL.parse(text);
  const refuse = (reason: string) =>
    new NerifError("invalid_configuration", `Cannot use ${what}: ${reason}`, { param: "upstream" });
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw refuse(`${JSON.stringify(text.slice(0, 200))} is not an http or https URL`);
  }
  if (url.username !== "" || url.password !== "") {
    throw refuse(
      "its URL holds credentials; put the key into a variable and name it with upstream_api_key_env",
    );
  }
  return url;
}

function checkNames(upstreams: readonly UpstreamOptions[]): void {
  const seen = new Set<string>();
  for (const { name } of upstreams) {
    if (name !== "" && !seen.has(name)) seen.add(name);
    else {
      const reason = name === "" ? "one has no name" : `two are named ${JSON.stringify(name)}`;
      throw new NerifError("invalid_configuration", `Cannot use the upstreams: ${reason}`, {
        param: "upstreams",
      });
    }
  }
}

function notConfigured(choice: UpstreamChoice): NerifError {
  const variables =
    choice.ignoreOpenAIBaseUrl === true ? "OPENAI_API_KEY" : "OPENAI_BASE_URL or OPENAI_API_KEY";
  return new NerifError(
    "upstream_not_configured",
    `Cannot run batches: no upstream is configured. Name a model server with the upstream option or NERIF_UPSTREAM ` +
      `(http://localhost:8000/v1, say), list upstreams in the configuration, or set ${variables} for OpenAI`,
    { param: "upstream" },
  );
}

/** An empty variable counts as one that is not set. */
function set(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value.trim();
}
