import { NerifError } from "../batch/errors.ts";
import { baseUrl } from "./base-url.ts";
import { namedKey, plainUpstream, type ResolvedUpstream, resolveListed } from "./listed.ts";
import type { ConcurrencyOption, Environment, UpstreamOptions } from "./options.ts";
import { variable } from "./variable.ts";

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
  if (only !== null) return [plainUpstream({ name: only.url.host || "upstream", ...only, concurrency })];
  if (choice.upstreams === undefined || choice.upstreams.length === 0) throw notConfigured(choice);
  checkNames(choice.upstreams);
  const keyFor = (url: URL) => openAIKeyFor(url, env);
  return choice.upstreams.map((options) => resolveListed(options, { env, concurrency, keyFor }));
}

function onlyUpstream(choice: UpstreamChoice, env: Environment): { url: URL; apiKey: string | null } | null {
  const named = choice.upstreamApiKeyEnv ?? variable("NERIF_UPSTREAM_API_KEY_ENV", env);
  const key = (otherwise: string | null) => (named === undefined ? otherwise : namedKey(named, env));

  const given = choice.upstream ?? (hasList(choice) ? undefined : variable("NERIF_UPSTREAM", env));
  if (given !== undefined) {
    const url = baseUrl(given, choice.upstream === undefined ? "NERIF_UPSTREAM" : "the upstream");
    return { url, apiKey: key(variable("NERIF_UPSTREAM_API_KEY", env) ?? openAIKeyFor(url, env)) };
  }
  if (hasList(choice)) return null;

  const openAIKey = variable("OPENAI_API_KEY", env);
  const openAIBase = choice.ignoreOpenAIBaseUrl === true ? undefined : variable("OPENAI_BASE_URL", env);
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
  const base = variable("OPENAI_BASE_URL", env);
  const trusted = [openAIUrl, ...(base !== undefined && URL.canParse(base) ? [base] : [])];
  return trusted.some((text) => new URL(text).origin === url.origin)
    ? (variable("OPENAI_API_KEY", env) ?? null)
    : null;
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
