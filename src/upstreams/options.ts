/** One model server of the configuration (`upstreams:` in `nerif.config.yaml`). */
export interface UpstreamOptions {
  /** Unique; shown in progress and logs, and recorded with batches. */
  name: string;
  /** Base URL, as an OpenAI client takes it: `http://localhost:8000/v1`. A path prefix of a gateway belongs to it. */
  url: string;
  /** Name of the environment variable that holds the key. Default: none, and no key is sent. */
  apiKeyEnv?: string | undefined;
  /** Which models go here, and under which names. Default: every model, under its own. */
  models?: ModelsOption | undefined;
  /** Calls in flight at once: a fixed number, a range within which it is learned, or `auto`. Default `auto`. */
  concurrency?: ConcurrencyOption | undefined;
  /** What the upstream may be asked for in any minute, over all models. Default: no limit. */
  limits?: { requestsPerMinute?: number | undefined; tokensPerMinute?: number | undefined } | undefined;
  /** Sent with every call, beside what Nerif sends; `authorization` takes the place of the key. Default: none. */
  headers?: Readonly<Record<string, TextOption>> | undefined;
  /** Milliseconds that a connection may take to be accepted. Default 10,000. */
  connectTimeoutMs?: number | undefined;
  /** Milliseconds for a whole call. Default: as for all upstreams. */
  requestTimeoutMs?: number | undefined;
  /** URL of the HTTP proxy to go through, or `none`. Default: what `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say. */
  proxy?: TextOption | undefined;
  /** Path of a PEM file with certificates to trust beside those that are trusted anyway. Default: none. */
  caFile?: string | undefined;
}

/** A text, or the name of the environment variable that holds it, as is right for a secret. */
export type TextOption = string | { env: string };

/**
 * Globs, or for each glob the name under which the upstream knows the models that fit it; null: under their own. The first glob
 * that fits decides.
 */
export type ModelsOption = readonly string[] | Readonly<Record<string, string | null>>;

export type ConcurrencyOption = number | { least: number; most: number } | "auto";

export type Environment = Readonly<Record<string, string | undefined>>;
