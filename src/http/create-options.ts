import { checkIdempotencyKey } from "../service/answer-once.ts";
import type { CreateOptions } from "../service/create-options.ts";
import type { RequestContext } from "./environment.ts";

/**
 * How the request wants something to be created. Call it before the body is read: an upload may be long.
 *
 * @throws NerifError `invalid_value` for an `Idempotency-Key` that cannot be one
 */
export function createOptions(context: RequestContext): CreateOptions {
  const apiKey = context.get("apiKey");
  const key = context.req.header("idempotency-key");
  if (key === undefined) return { apiKey };
  checkIdempotencyKey(key);
  return { apiKey, idempotencyKey: key, onReplay: () => context.header("idempotent-replayed", "true") };
}
