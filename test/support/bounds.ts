import type { UpstreamBounds } from "../../src/upstreams/upstream.ts";

/** So many calls at once, and nothing else that would limit them. */
export function fixedBounds(concurrency: number): UpstreamBounds {
  return {
    concurrency: { least: concurrency, most: concurrency },
    requestsPerMinute: null,
    tokensPerMinute: null,
  };
}
