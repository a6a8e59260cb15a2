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
  /**
   * Whole number that is put as `priority` into bodies that have none, for servers that know it: vLLM (less goes first, live
   * traffic has 0). Default: nothing is put in.
   */
  priority?: number | undefined;
  /** Share of the calls at once that batches may take, above 0 and up to 1. Default 1. */
  maxShare?: number | undefined;
  /** When they may take all of them, in local time: `22:00-06:00`, `sat-sun`, `mon-fri 20:00-07:00`. Default: never. */
  offPeak?: readonly string[] | undefined;
  /** Mean milliseconds of an answer above which batches take fewer calls at once. Default: none. */
  targetLatencyMs?: number | undefined;
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
