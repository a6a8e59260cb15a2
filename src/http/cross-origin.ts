import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { NerifError } from "../batch/errors.ts";

/** What a page may read of an answer beside its body. */
const exposeHeaders = [
  "x-request-id",
  "x-should-retry",
  "idempotent-replayed",
  "retry-after",
  "retry-after-ms",
  "accept-ranges",
  "content-disposition",
  "content-range",
  "etag",
];

/** Lets pages of these origins, and no others, use the API. A page brings its key itself; cookies mean nothing here. */
export function allowOrigins(origins: ReadonlySet<string>): MiddlewareHandler {
  return cors({
    origin: (origin) => (origins.has(origin) ? origin : null),
    allowMethods: ["GET", "HEAD", "POST", "DELETE"],
    exposeHeaders,
    // Seconds for which a browser need not ask again.
    maxAge: 600,
  });
}

/**
 * Checks that each is the exact origin of pages, such as `https://app.example.com:8443`.
 *
 * @throws NerifError `invalid_configuration`
 */
export function checkOrigins(given: readonly string[]): ReadonlySet<string> {
  for (const origin of given) {
    if (isExactOrigin(origin)) continue;
    throw new NerifError(
      "invalid_configuration",
      `Cannot allow the origin ${JSON.stringify(origin.slice(0, 80))}: it must be scheme, host and port exactly as a browser sends them, such as https://app.example.com`,
      { param: "cors_origin" },
    );
  }
  return new Set(given);
}

function isExactOrigin(text: string): boolean {
  if (!/^https?:\/\//.test(text)) return false;
  return URL.canParse(text) && new URL(text).origin === text && !text.includes("*");
}
